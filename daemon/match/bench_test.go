// SPDX-License-Identifier: Apache-2.0

package match

import (
	"strconv"
	"testing"
	"time"
)

func BenchmarkEvaluate(b *testing.B) {
	for _, test := range []struct {
		name string
		o    Options
	}{
		{"none", Options{}},
		{"filter without the text", Options{Filter: `kernel_seq > 3 && host == "web-1"`}},
		{"filter", Options{Filter: `message matches "^disk" && kernel_seq >= 0`}},
		{"extract", Options{Extract: `error on (?P<device>\w+)`}},
		{"filter by a capture", Options{Extract: `error on (?P<device>\w+)`, Filter: `captures.device == "sda"`}},
		{"sample", Options{Sample: 10}},
		{"rate limit", Options{RateLimit: RateLimit{Events: 1000, Per: time.Second}}},
		{"dedup", Options{Dedup: Dedup{Window: time.Second}}},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := mustCompile(b, test.o)
			e := newEvent(1, 0, "")
			var text []byte
			b.ReportAllocs()
			for b.Loop() {
				e.Seq++
				e.Time = e.Time.Add(100 * time.Microsecond)
				text = strconv.AppendUint(append(text[:0], "disk error on sda, sector "...), e.Seq%1000, 10)
				e.Message = text
				if _, err := r.Evaluate(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

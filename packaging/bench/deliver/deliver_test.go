// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/genl"
)

func TestMessagesAreEventsOfTheModule(t *testing.T) {
	for text := 1; text <= 9; text++ { // each padding
		data := message(text, 7, 1e18+1)
		verdict, number := genl.Classify(&genl.Message{Data: data}, family, genl.Kernel)
		if verdict != genl.Event || number != (genl.Number{LoadID: loadID, Seq: 7}) {
			t.Errorf("%d bytes of text: %v, number %+v", text, verdict, number)
		}
		got, err := genl.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		want := genl.Fields{Message: []byte(strings.Repeat("x", text)), KernelTime: time.Unix(0, 1e18+1), KernelSeq: 7, LoadID: loadID}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d bytes of text (-want +got):\n%s", text, diff)
		}
	}
}

func TestPercentiles(t *testing.T) {
	tests := []struct{ n, p50, p99 int }{{0, 0, 0}, {1, 1, 1}, {2, 1, 2}, {100, 50, 99}, {101, 51, 100}, {3000, 1500, 2970}}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.n), func(t *testing.T) {
			s := &timed{}
			for i := test.n; i > 0; i-- {
				s.latencies = append(s.latencies, time.Duration(i))
			}
			p50, p99 := s.percentiles()
			if int(p50) != test.p50 || int(p99) != test.p99 {
				t.Errorf("p50 %d, p99 %d of 1 to %d, want %d and %d", p50, p99, test.n, test.p50, test.p99)
			}
		})
	}
}

func TestLatencyIsNotMeasuredWithoutARate(t *testing.T) {
	var s *timed
	if p50, p99 := s.percentiles(); p50 != 0 || p99 != 0 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
}

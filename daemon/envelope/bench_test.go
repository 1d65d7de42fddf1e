// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
)

// benchOptions returns all envelopes, with typical templates.
func benchOptions() map[string]Options {
	return map[string]Options{
		"json":               {Kind: JSON},
		"raw":                {Kind: Raw},
		"cloudevents":        {Kind: CloudEvents},
		"cloudevents binary": {Kind: CloudEvents, CloudEvents: CloudEventsOptions{Binary: true}},
		"rfc5424":            {Kind: RFC5424, Syslog: SyslogOptions{Facility: 3, Severity: 6}},
		"logfmt":             {Kind: Logfmt},
		"template":           {Kind: Template, Template: "{{.Time}} {{.Host}}: {{.Text}}"},
		"template of JSON": {Kind: Template, ContentType: "application/json", Template: `{"host": {{json .Host}}, ` +
			`"text": {{json .Text}}, "time": {{json .Time}}}`},
	}
}

// BenchmarkLine measures an event as a line of each envelope.
func BenchmarkLine(b *testing.B) {
	for name, o := range benchOptions() {
		for kind, text := range map[string]string{"ascii": strings.Repeat("disk sda failed ", 13), "utf8": strings.Repeat("Gerät läuft ", 15)} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				encoder := mustNew(b, o)
				e := full(text)
				var buf []byte
				b.ReportAllocs()
				begin := cpuTime(b)
				for b.Loop() {
					var err error
					if buf, err = event.AppendLineOf(buf[:0], encoder, &e); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpuTime(b)-begin)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpuTime returns the CPU time of the process, which depends little on the load of the
// machine.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

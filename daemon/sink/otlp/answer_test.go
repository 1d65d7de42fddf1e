// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// The generated code for the definitions of OpenTelemetry parses each response alike.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"", "\x0a\x00", "\x0a\x05\x08\x02\x12\x01x", "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x0a\x05",
		"\x0a\x02\x08\x01\x0a\x03\x12\x01x", // two parts of one message
		"\x0a\x03\x12\x01\xff",              // not UTF-8
		"\x0a\x06\x12\x01\xff\x12\x01x",     // the last text is UTF-8
		"\x08\x01\x0a\x02\x10\x01",          // numbers in place of messages and texts
		"\x0a\x06\x08\x01\x0a\x02ab",        // a text in place of a number
		"\x0a\x01\x0b\x0c\x1b\x1c",          // groups
		"\xf0\x94\xa5\xe80\x30",             // number of a field
		"\x15abcd\x19abcdefgh",              // fixed sizes
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want collector.ExportLogsServiceResponse
		wantErr := proto.Unmarshal(text, &want)
		got, err := parseResponse(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%x: got %v, want %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		partial := want.GetPartialSuccess()
		if got.verdict != accepted || got.rejected != partial.GetRejectedLogRecords() || got.message != partial.GetErrorMessage() {
			t.Errorf("%x: got %+v, want %v", text, got, &want)
		}
	})
}

func TestSeveritiesAreThoseOfOpenTelemetry(t *testing.T) {
	for _, word := range []string{"trace", "debug", "info", "warn", "error", "fatal"} {
		s := severityOf(word)
		if got := logs.SeverityNumber(s.number).String(); got != "SEVERITY_NUMBER_"+s.text {
			t.Errorf("%s is %s with the text %q", word, got, s.text)
		}
	}
}

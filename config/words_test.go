// SPDX-License-Identifier: Apache-2.0

package config

import "testing"

func TestLogLevelHasOneSpelling(t *testing.T) {
	for text, want := range map[string]bool{
		"debug": true, "info": true, "warn": true, "error": true,
		"": false, "INFO": false, "info+1": false, "warning": false,
	} {
		var l LogLevel
		err := l.UnmarshalText([]byte(text))
		if got := err == nil && l.String() == text; got != want {
			t.Errorf("%q: accepted is %v; %v", text, got, err)
		}
	}
}

// The numbers are those of RFC 5424, section 6.2.1.
func TestSyslogNumbers(t *testing.T) {
	for text, want := range map[string]int{"kern": 0, "user": 1, "daemon": 3, "authpriv": 10, "local0": 16, "local7": 23} {
		if got, _ := (&RFC5424{Facility: text, Severity: "info"}).Numbers(); got != want {
			t.Errorf("facility %s is %d, want %d", text, got, want)
		}
	}
	for text, want := range map[string]int{"emerg": 0, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7} {
		if _, got := (&RFC5424{Facility: "user", Severity: text}).Numbers(); got != want {
			t.Errorf("severity %s is %d, want %d", text, got, want)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// flat returns one JSON object as lines of name=value. Names in a nested object have
// the name of the object as prefix.
func flat(t *testing.T, object []byte) (lines []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	next := func() json.Token {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v: %s", err, object)
		}
		return token
	}
	next() // the first brace
	for prefix := ""; d.More() || prefix != ""; {
		if !d.More() {
			next()
			prefix = ""
			continue
		}
		name := fmt.Sprint(next())
		if value := next(); value == json.Delim('{') {
			prefix = name + "_"
		} else {
			lines = append(lines, fmt.Sprint(prefix, name, "=", value))
		}
	}
	return lines
}

func TestPartsAreTheFieldsOfTheJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	origin := &Origin{MachineID: "m", BootID: "b", KernelRelease: "6.1"}
	bare := Event{JournalID: "9f3c", Seq: 7, Time: at, Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte("hello")}
	full := bare
	full.KernelTime, full.KernelSeq, full.LoadID, full.Origin = at.Add(-time.Millisecond), 41, 0xabc, origin
	nowhere := bare
	nowhere.Host, nowhere.Origin = "", &Origin{BootID: "b"}
	lost, unknown, kept := full, bare, full
	lost.Gap = &Gap{Count: 3, Reason: "kernel_buffer", From: at, To: at.Add(1), LoadID: 1, First: 5, Last: 9}
	unknown.Gap = &Gap{Count: 1, Reason: "read_error", From: at, To: at}
	tested := bare
	tested.Test = &Test{Sink: "hook", Number: 0xa1}
	kept.Suppressed = &Suppressed{Count: 4, Reason: "rate_limit", From: at, To: at.Add(1)}
	var p Parts
	for name, e := range map[string]Event{
		"full": full, "bare": bare, "nowhere": nowhere, "gap": lost, "gap without numbers": unknown, "suppressed": kept, "test": tested,
	} {
		var got, want []string
		for name, value := range p.Of(&e) {
			got = append(got, name+"="+string(value))
		}
		for _, line := range flat(t, e.AppendJSON(nil)) {
			if line != "message=hello" {
				want = append(want, line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: parts (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnUnknownTimeIsEmpty(t *testing.T) {
	var p Parts
	for name, value := range p.Of(&Event{Gap: &Gap{}}) {
		switch name {
		case "time", "gap_from", "gap_to":
			if len(value) > 0 {
				t.Errorf("%s is %q", name, value)
			}
		}
	}
}

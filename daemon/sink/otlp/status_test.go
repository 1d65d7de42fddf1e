// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"connectrpc.com/connect"
)

// table is the table of the page, from the two tables of the code.
func table() string {
	var b strings.Builder
	b.WriteString("| answer | OTLP | then | why |\n| --- | --- | --- | --- |\n")
	write := func(r row) { fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.name, r.specification, r.verdict, r.why) }
	for _, r := range statuses[:len(statuses)-1] {
		write(r.row)
	}
	for _, r := range codes {
		write(r)
	}
	return b.String()
}

func TestThePageShowsThePolicy(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sinks/otlp.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := table(); !strings.Contains(string(page), "\n\n"+want+"\n") {
		t.Errorf("docs/sinks/otlp.md does not contain this table:\n%s", want)
	}
}

// Every status and every code has one row.
func TestTheTablesAreComplete(t *testing.T) {
	next := 200
	for _, r := range statuses[:len(statuses)-1] {
		if r.from != next || r.to < r.from {
			t.Errorf("the row of %d to %d follows that of %d", r.from, r.to, next-1)
		}
		next = r.to + 1
		if want := strings.TrimSuffix(fmt.Sprintf("HTTP %d-%d", r.from, r.to), fmt.Sprintf("-%d", r.from)); r.name != want {
			t.Errorf("the row %q has the statuses %s", r.name, want)
		}
	}
	if next != 600 {
		t.Errorf("the rows end at %d", next)
	}
	for i, r := range codes {
		name := strings.ToUpper(connect.Code(i).String())
		if i == 0 {
			name = "OK"
		}
		if name == "CANCELED" {
			name = "CANCELLED" // the spelling of the specification
		}
		if r.name != "gRPC "+name {
			t.Errorf("row %d is %q", i, r.name)
		}
	}
	for _, code := range []code{17, 99, math.MaxInt32} {
		if got := rowOfCode(code); got != codes[connect.CodeUnknown] {
			t.Errorf("an unknown code has the row %v", got)
		}
	}
	for _, status := range []int{0, 100, 199, 600, 999, 1000} {
		if got := rowOfStatus(status).verdict; got != retry {
			t.Errorf("status %d: %s", status, got)
		}
	}
}

// The specification is a part of the table. These are its own two lists.
func TestTheSpecificationIsQuotedExactly(t *testing.T) {
	retryable := map[int]bool{429: true, 502: true, 503: true, 504: true}
	for status := 400; status < 600; status++ {
		if want := map[bool]string{true: "yes", false: "no"}[retryable[status]]; rowOfStatus(status).specification != want {
			t.Errorf("status %d: %q", status, rowOfStatus(status).specification)
		}
		if retryable[status] && rowOfStatus(status).verdict != retry {
			t.Errorf("status %d is not retried", status)
		}
	}
	wants := map[connect.Code]string{connect.CodeResourceExhausted: "with `RetryInfo`"}
	for _, code := range []connect.Code{
		connect.CodeCanceled, connect.CodeDeadlineExceeded, connect.CodeAborted, connect.CodeOutOfRange, connect.CodeUnavailable,
		connect.CodeDataLoss,
	} {
		wants[code] = "yes"
	}
	for i, r := range codes[1:] {
		want := cmp.Or(wants[connect.Code(i+1)], "no")
		if r.specification != want || want == "yes" && r.verdict != retry {
			t.Errorf("%s: %q, %s", r.name, r.specification, r.verdict)
		}
	}
}

func TestExhaustedQuotaLosesNoEvent(t *testing.T) {
	const tooLarge = "grpc: received message larger than max (5000000 vs. 4194304)"
	for _, tt := range []struct {
		retryInfo bool
		text      string
		records   int
		want      verdict
	}{
		{true, "quota", 1, retry},
		{true, tooLarge, 10, retry},
		{false, "quota", 10, permanent}, // halved
		{false, "quota", 1, retry},
		{false, tooLarge, 1, permanent},
		{false, "grpc: received message after decompression larger than max 10", 1, permanent},
		{false, "gRPC message exceeds maximum size 4194304: 5000000", 1, permanent},
		{false, "Received message exceeds the maximum configured message size.", 1, permanent},
	} {
		if got := exhausted(tt.retryInfo, tt.text, tt.records); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

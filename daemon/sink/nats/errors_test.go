// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/sink"
)

func TestDocumentationListsEveryFault(t *testing.T) {
	var want []string
	for _, f := range faults {
		codes := strings.Trim(strings.ReplaceAll(fmt.Sprint(f.codes), " ", ", "), "[]")
		if codes == "" {
			codes = "other"
		}
		want = append(want, fmt.Sprintf("| %s | %s | %s |", codes, f.verdict, f.why))
	}
	page, err := os.ReadFile("../../../docs/sinks/nats.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "| `err_code` |")
	text, _, _ = strings.Cut(text, "\n\n")
	if diff := cmp.Diff(want, strings.Split(text, "\n")[2:]); diff != "" {
		t.Errorf("docs/sinks/nats.md (-want +got):\n%s", diff)
	}
}

func TestClassesOfServerErrors(t *testing.T) {
	for _, tt := range []struct {
		e       serverError
		refusal sink.RefusalKind // empty: not permanent
	}{
		{serverError{10054, "message size exceeds maximum allowed"}, sink.RefusedTooLarge},
		{serverError{10077, "message too large"}, sink.RefusedTooLarge},
		{serverError{10077, "maximum bytes exceeded"}, ""},
		{serverError{10158, "duplicate message id is in process"}, ""},
		{serverError{10164, "wrong last sequence"}, ""},
		{serverError{99999, "unknown"}, ""},
		{serverError{}, ""},
	} {
		err := tt.e.fault()
		if permanent := sink.Poisoned(err) > 0; permanent != (tt.refusal != "") {
			t.Errorf("%v: permanent is %v", err, permanent)
		}
		if tt.refusal != "" && sink.RefusalOf(err).Kind != tt.refusal {
			t.Errorf("%v: %v", err, sink.RefusalOf(err))
		}
		var original *serverError
		if !errors.As(err, &original) || !strings.Contains(err.Error(), tt.e.Description) {
			t.Errorf("%v does not contain %v", err, &tt.e)
		}
	}
}

// A subject contains values of events, which can be the texts of other hosts.
func TestSubjectsInErrorsAreVisible(t *testing.T) {
	s := newSink(t, config("nats://127.0.0.1:4222"))
	s.link = &link{address: "nats://127.0.0.1:4222"}
	defer func() { s.link = nil }() // it is not connected
	text := s.explain("a.\u202eb."+strings.Repeat("c", maxSubject), errNoResponders).Error()
	if strings.ContainsRune(text, '\u202e') || len(text) > maxName+maxError {
		t.Errorf("the error is %q", text)
	}
}

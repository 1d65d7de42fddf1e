// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentationContainsTheTableOfStatuses(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sinks/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, row := range statuses[:len(statuses)-1] {
		status := fmt.Sprint(row.from)
		if row.to != row.from {
			status = fmt.Sprintf("%d-%d", row.from, row.to)
		}
		fmt.Fprintf(&want, "| %s | %s | %s |\n", status, row.verdict, row.why)
	}
	if !strings.Contains(string(page), "| --- | --- | --- |\n"+want.String()+"\n") {
		t.Errorf("docs/sinks/webhook.md lacks this table:\n%s", want.String())
	}
}

func TestVerdicts(t *testing.T) {
	dead := map[int]bool{400: true, 413: true, 422: true}
	var c Config
	for status := range 1000 {
		want := retry
		switch {
		case status >= 200 && status < 300:
			want = taken
		case dead[status]:
			want = permanent
		}
		if got := c.evaluate(status); got != want {
			t.Errorf("%d: got %s, want %s", status, got, want)
		}
	}
}

func TestRowsOfStatusesDoNotOverlap(t *testing.T) {
	for i, row := range statuses[:len(statuses)-1] {
		if row.from > row.to || row.why == "" || i > 0 && row.from <= statuses[i-1].to {
			t.Errorf("row %d to %d", row.from, row.to)
		}
	}
}

func TestConfiguredStatusesTakePrecedence(t *testing.T) {
	c := Config{Taken: []int{409}, Retry: []int{400}, Permanent: []int{500}}
	got := map[int]verdict{}
	for _, status := range []int{200, 400, 409, 422, 500, 501} {
		got[status] = c.evaluate(status)
	}
	want := map[int]verdict{200: taken, 400: retry, 409: taken, 422: permanent, 500: permanent, 501: retry}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// The texts are those of nginx 1.22, Apache 2.4 and package net/http.
func TestStatusesThatDoNotConcernTheEvents(t *testing.T) {
	later := http.Header{"Retry-After": {"5"}}
	tests := []struct {
		status int
		header http.Header
		text   string
		want   verdict
	}{
		{413, nil, "", permanent},
		{413, later, "", retry},
		{400, later, "", permanent},
		{400, nil, "<center>No required SSL certificate was sent</center>", retry},
		{400, nil, "<center>The SSL certificate error</center>", retry},
		{400, nil, "<center>The plain HTTP request was sent to HTTPS port</center>", retry},
		{400, nil, "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", retry},
		{400, nil, "Client sent an HTTP request to an HTTPS server.\n", retry},
		{422, nil, "SSL certificate", permanent},
	}
	for _, tt := range tests {
		var c Config
		if got := c.answer(tt.status, tt.header, []byte(tt.text)); got != tt.want {
			t.Errorf("%d %v %s: got %s, want %s", tt.status, tt.header, tt.text, got, tt.want)
		}
		c.Permanent = []int{tt.status}
		if got := c.answer(tt.status, tt.header, []byte(tt.text)); got != permanent {
			t.Errorf("%d: the configured list is ignored", tt.status)
		}
	}
}

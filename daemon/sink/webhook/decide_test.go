// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"errors"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestResponseAndStatusDecideTogether(t *testing.T) {
	const noErrors = `json.errors == false`
	for _, tt := range []struct {
		expression string
		status     int
		body       string
		want       verdict
		text       string
	}{
		{noErrors, 200, `{"errors":false}`, taken, ""},
		{noErrors, 200, `{"errors":true,"why":"full"}`, retry, "200 OK: response returns false: {"},
		{noErrors, 200, `<html>`, retry, "200 OK: response: the response is not JSON: <html>"},
		{noErrors, 200, ``, retry, "not JSON"},
		{noErrors, 503, `{"errors":false}`, retry, "503"},
		{noErrors, 400, `{"errors":false}`, permanent, "400"},
		{noErrors, 413, `too large`, permanent, "413"},
		{`json.ok ? "taken" : "permanent"`, 200, `{"ok":true}`, taken, ""},
		{`json.ok ? "taken" : "permanent"`, 200, `{"ok":false}`, permanent, "response returns permanent"},
		{`json.ok ? "taken" : "permanent"`, 500, `{"ok":true}`, taken, ""},
		{`json.ok ? "taken" : "permanent"`, 500, `oops`, retry, "500"},
		{`status == 400 ? "retry" : true`, 400, ``, retry, "response returns retry"},
		{`body == "ok"`, 200, `ok`, taken, ""},
		{`json.n > 0`, 200, `{"n":"x"}`, retry, "column 8: cannot be evaluated for this response"},
		{
			`json.errors == false`, 200, `{"errors":false,"items":"` + strings.Repeat("x", maxJudged) + `"}`, retry,
			"longer than 1048576 bytes",
		},
		{`json.errors == false`, 200, `{"errors":false,"items":"` + strings.Repeat("x", maxResponse) + `"}`, taken, ""},
	} {
		f := newFaultServer(t, status(tt.status, tt.body))
		s := newSink(t, Config{URL: value.Inline(f.URL), Response: tt.expression})
		n, err := attempt(t, s, sinktest.Events(1, 2), attemptTimeout)
		got := taken
		switch {
		case err != nil && sink.Poisoned(err) > 0:
			got = permanent
		case err != nil:
			got = retry
		}
		if got != tt.want || (n == 2) != (tt.want == taken) {
			t.Errorf("%s of %d %.40s: got %s, %v", tt.expression, tt.status, tt.body, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s of %d %.40s: the error is %v, want %q", tt.expression, tt.status, tt.body, err, tt.text)
		}
	}
}

func TestResponseErrorContainsNoSecret(t *testing.T) {
	const token = "correct-horse-battery"
	f := newFaultServer(t, status(200, `{"ok":false,"told":"Bearer `+token+`"}`))
	s := newSink(t, Config{URL: value.Inline(f.URL), Bearer: value.Inline(token), Response: "json.ok"})
	_, err := attempt(t, s, sinktest.Events(1, 1), attemptTimeout)
	if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "<secret>") {
		t.Errorf("got %v", err)
	}
}

func TestInvalidResponseExpressionNamesItsKey(t *testing.T) {
	c := defaulted(Config{URL: value.Inline("http://127.0.0.1:1"), Response: "json.ok or\n  jsn.ok"})
	var fault *sink.OptionError
	if err := c.Verify(event.JSON{}); !errors.As(err, &fault) || fault.Key != "webhook.response" ||
		fault.Line != 2 || fault.Column != 3 || !strings.Contains(err.Error(), "unknown name jsn") {
		t.Errorf("got %v", err)
	}
	if _, err := New(c, sink.Env{Encoder: event.JSON{}}); !errors.As(err, &fault) {
		t.Errorf("New: got %v", err)
	}
}

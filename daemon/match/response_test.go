// SPDX-License-Identifier: Apache-2.0

package match

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

func TestResponseVerdicts(t *testing.T) {
	header := http.Header{"X-Result": {"partial", "ok"}}
	const body = `{"errors": false, "code": 0, "error": null, "items": [{"status": 201}], "text": "ok"}`
	for expression, want := range map[string]any{
		`json.errors == false`:                        true,
		`json.errors`:                                 false,
		`json.code == 0 and status == 200`:            true,
		`json.error == nil`:                           true,
		`json.missing == nil`:                         true,
		`json.items[0].status == 201`:                 true,
		`json?.a?.b == nil`:                           true,
		`body contains "errors"`:                      true,
		`body matches "^.{3}rr"`:                      true,
		`headers["x-result"] == "partial, ok"`:        true,
		`headers["none"] == ""`:                       true,
		`json.errors ? "permanent" : "taken"`:         ResponseTaken,
		`status >= 500 ? "retry" : json.text == "ok"`: true,
		`"retry"`: ResponseRetry,
	} {
		r, err := CompileResponse(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := r.Evaluate(200, header, []byte(body), false); got != want || err != nil {
			t.Errorf("%s: got %v, want %v; %v", expression, got, want, err)
		}
	}
}

func TestInvalidResponseExpressionIsRejected(t *testing.T) {
	for expression, want := range map[string]string{
		`jsn.errors == false`: "column 1: unknown name jsn; write json",
		`json.errors = false`: `column 13: "=" is not an operator; write ==`,
		`status == "200"`:     "column 8: cannot apply == to a number and a text; write the number without quotes",
		`code == 200`:         "column 1: unknown name code; write status",
		`Status == 200`:       "column 1: unknown name Status; write status",
		`json.error == null`:  "column 15: unknown name null; write nil",
		`reply == 200`: `column 1: unknown name reply; write "reply" in quotes if it is a text, or one of ` +
			`status, headers, body, json`,
		`body.errors == false`:           "column 6: unknown field errors of a text; write json.errors",
		`headers == "text/plain"`:        `column 9: == cannot compare all headers; write one of them, such as headers["content-type"]`,
		`headers["Content-Type"] == ""`:  `column 9: headers has names in lower case; write headers["content-type"]`,
		`status > 1000`:                  `column 10: status is from 100 to 599`,
		`(status == 200`:                 "column 1: the bracket ( is not closed",
		`status == 200 AND json.ok`:      `column 15: "AND" is not an operator; write and`,
		`status`:                         "returns a number; write a condition",
		`"ok"`:                           `returns ok; write a condition`,
		`status == 200 ? "ok" : "retry"`: "returns ok",
		`all(json.items, # > 1)`:         "not supported",
		`repeat(body, 9)`:                "not supported",
		`body matches body`:              "a pattern must be one text in quotes",
		strings.Repeat("x", maxText+1):   "longer than",
		`json.`:                          "column",
		`let a = 1; true`:                "not supported",
		`$env.status == 1`:               "$env",
	} {
		if _, err := CompileResponse(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.50s: got %v, want %q", expression, err, want)
		}
	}
}

func TestEvaluationErrorsContainNoResponseText(t *testing.T) {
	for expression, body := range map[string]string{
		`json.ok`:                 `{"ok": "canary"}`,
		`json.canary.x == 1`:      `{"canary": "canary"}`,
		`json.ok == true`:         `canary`,
		`json.n > 1`:              `{"n": "canary"}`,
		`json[0].ok == true`:      `[]`,
		`int(body) == 1`:          `canary`,
		`json.a.b.c`:              `{}`,
		`date(body).Year() == 20`: `canary`,
	} {
		r, err := CompileResponse(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := r.Evaluate(200, nil, []byte(body), false); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, %v", expression, got, err)
		}
	}
	r, err := CompileResponse("json.ok")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Evaluate(200, nil, []byte(`{"ok":`), true); err == nil || !strings.Contains(err.Error(), "longer than 6 bytes") {
		t.Errorf("a response that was cut: %v", err)
	}
}

func FuzzResponse(f *testing.F) {
	f.Add(`json.errors == false`, []byte(`{"errors":false}`), 200)
	f.Add(`json.a[0].b ?? "retry"`, []byte(`{"a":[{"b":1e999}]}`), 503)
	f.Add(`split(body, "a")[99] == "" or body + body == ""`, []byte("\xff\x00"), -1)
	f.Add(`json.a in json.b or json == nil`, []byte(`{"a":{},"b":[[]]}`), 200)
	f.Add(`string(json) == "x" or len(json) > 1`, []byte(`[1,2,"\u001b"]`), 0)
	f.Fuzz(func(t *testing.T, expression string, body []byte, status int) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("the expression hangs") })
		defer watchdog.Stop()
		r, err := CompileResponse(expression)
		if err == nil {
			_, err = r.Evaluate(status, http.Header{"A": {"b"}}, body, false)
		}
		if err != nil && !event.IsVisible([]byte(err.Error())) {
			t.Errorf("the error could act on a terminal: %q", err)
		}
	})
}

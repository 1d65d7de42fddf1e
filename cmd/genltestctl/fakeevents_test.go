// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/genltestd/genltestd/daemon/control"
	"github.com/genltestd/genltestd/daemon/control/api"
)

const (
	fakeEvent = `{"id":"6a9155caa46c7dcc-17","seq":17,"kind":"event","time":"2026-01-02T03:04:05.228148939Z","host":"web-1",` +
		`"family":"genltest","group":"mcgrp","message":"hello ` + `\u001b[2J\u202e` + `"}`
	fakeGap = `{"id":"6a9155caa46c7dcc-18","seq":18,"kind":"gap","time":"2026-01-02T03:04:06Z","host":"web-1","family":"genltest",` +
		`"group":"mcgrp","gap":{"count":17,"reason":"kernel_buffer"}}`
	fakeEncoded = `{"id":"6a9155caa46c7dcc-19","seq":19,"kind":"event","time":"2026-01-02T03:04:06Z","family":"genltest","message":"x",` +
		`"encoded":"\ufffd","encoded_base64":"gRs="}`
	fakeMissed = `{"kind":"missed","count":3}`
)

// Tail implements control.Events. The filter selects what happens after the events.
func (s *fakeDaemon) Tail(ctx context.Context, q api.EventsQuery, to control.EventWriter) error {
	s.mu.Lock()
	s.requests = append(s.requests, "tail "+q.Values().Encode())
	s.mu.Unlock()
	switch {
	case q.Sink == "nobody":
		return control.UnknownSink(q.Sink)
	case q.Filter == "wrong":
		return &api.Error{Status: http.StatusBadRequest, Message: "filter: column 1: unknown name wrong"}
	}
	for _, line := range []string{fakeEvent, fakeGap, fakeMissed, fakeEncoded} {
		if _, err := to.Write([]byte(line + "\n")); err != nil {
			return err
		}
	}
	if err := to.Flush(); err != nil {
		return err
	}
	if q.Filter == "broken" {
		return &api.Error{Status: http.StatusInternalServerError, Message: "the disk is broken"}
	}
	if q.Follow && q.Filter != "end" {
		<-ctx.Done()
	}
	return nil
}

// Explain implements control.Events.
func (s *fakeDaemon) Explain(id, filter string) (*api.Explanation, error) {
	if !strings.HasSuffix(id, "17") {
		return nil, &api.Error{Status: http.StatusNotFound, Message: "unknown event " + id}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	x := &api.Explanation{
		ID: "6a9155caa46c7dcc-17", Seq: 17, Received: at, KernelTime: &at, Family: "genltest", Group: "mcgrp", Bytes: 60,
		File: "/var/lib/genltestd/journal/00000000000000000001.log", Offset: 64, Synced: false, Event: json.RawMessage(fakeEvent),
		Sinks: []api.SinkOutcome{},
	}
	message := api.FilterPart{Text: "message", Value: json.RawMessage(`"hello \u001b[2J"`), Parts: []api.FilterPart{}}
	part := &api.FilterPart{Text: `message contains "disk"`, Value: json.RawMessage("false"), Parts: []api.FilterPart{message}}
	switch filter {
	case "":
		x.Sinks = append(x.Sinks, fakeOutcomes(at, part)...)
	case "wrong":
		return nil, &api.Error{Status: http.StatusBadRequest, Message: "filter: column 1: unknown name wrong"}
	default:
		broken := api.FilterPart{Text: `int(message)`, Error: hostile, Unused: true, Parts: []api.FilterPart{}}
		x.Filter = &api.FilterPart{Text: filter, Value: json.RawMessage("true"), Parts: []api.FilterPart{*part, broken}}
	}
	return x, nil
}

func fakeOutcomes(at time.Time, part *api.FilterPart) []api.SinkOutcome {
	return []api.SinkOutcome{
		{
			Sink: "hook", Kind: "webhook", Outcome: api.OutcomeDeadLettered, Text: "the sink has refused the event",
			Rules: []api.RuleStep{
				{Rule: "extract", Result: "applied", Captures: map[string]string{"unit": hostile, "a": ""}},
				{Rule: "rate_limit", Result: "depends", Text: "depends on the events before it"},
			},
			Attempts: []api.Attempt{
				{Time: at, First: 12, Last: 20, Events: 9, Accepted: 3, Error: "503 " + hostile},
				{Time: at, First: 15, Last: 20, Events: 6, Error: "503"},
				{Time: at, First: 17, Last: 17, Events: 1, Replay: true},
				{Time: at, First: 17, Last: 17, Events: 1, Dropped: "max_age"},
			},
			DeadLetter: &api.Letter{ID: "6a9155caa46c7dcc-17", Refused: at, Attempts: 1, Reason: hostile},
		},
		{
			Sink: "archive", Kind: "file", Outcome: api.OutcomeFiltered, Text: "the filter rejects the event", Unless: []string{hostile},
			Rules: []api.RuleStep{{Rule: "filter", Result: "rejects", Text: `message contains "disk"`, Filter: part}},
		},
	}
}

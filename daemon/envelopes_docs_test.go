// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/pipeline"
)

var update = flag.Bool("update", false, "write the examples of docs/envelopes.md again")

var docsBlock = regexp.MustCompile("(?ms)^```(yaml|json|text|http)\n(.*?)^```$")

// In docs/envelopes.md each configuration is followed by its result for an event, and in
// some cases by its result for a gap.
func TestEnvelopesPageMatchesTheOutput(t *testing.T) {
	const page = "../docs/envelopes.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var cfg *config.Config
	var left []event.Event // to be shown, of the last configuration
	shown := make(map[string]int)
	got := docsBlock.ReplaceAllStringFunc(string(text), func(block string) string {
		match := docsBlock.FindStringSubmatch(block)
		switch kind := match[1]; {
		case kind == "yaml":
			cfg = parse(t, match[2])
			if err := Check(cfg, Dirs{}); err != nil {
				t.Fatal(err)
			}
			left = examples(cfg)
			return block
		case kind == "http":
			cfg.Sinks[0].CloudEvents.Mode = config.CloudEventsBinary
			return "```http\n" + headers(t, cfg, examples(cfg)[0]) + "```"
		case len(left) == 0:
			t.Fatalf("no event is left to be shown in\n%s", block)
		}
		e := left[0]
		left = left[1:]
		shown[cfg.Sinks[0].Form()]++
		return "```" + match[1] + "\n" + written(t, cfg, e) + "\n```"
	})
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(text), got); diff != "" && !*update {
		t.Errorf("%s (-want +got):\n%s", page, diff)
	}
	for _, kind := range strings.Fields("json raw cloudevents rfc5424 template logfmt") {
		if shown[kind] == 0 {
			t.Errorf("%s shows no %s", page, kind)
		}
	}
}

// examples returns the events of docs/events.md, with the origin that the configuration adds.
func examples(cfg *config.Config) []event.Event {
	added := originConfig(&cfg.Event)
	every := event.Origin{Labels: added.SortedLabels()}
	head := event.Event{
		JournalID: "6a9155caa46c7dcc", Host: "web-1", Family: "genltest", Group: "mcgrp",
		Origin: originOf(every),
	}
	e, gap := head, head
	e.Seq, e.Time, e.Message = 1, parseTime("2026-01-02T03:04:05.228148939Z"), []byte("hello")
	e.KernelTime, e.KernelSeq, e.LoadID = parseTime("2026-01-02T03:04:05.225855454Z"), 1, 0x1e1b58c6a77ddc69
	gap.Seq, gap.Time = 9, parseTime("2026-01-02T03:04:06.1Z")
	gap.Gap = &event.Gap{
		Count: 17, Reason: "kernel_buffer", From: parseTime("2026-01-02T03:04:06.02Z"), To: gap.Time, First: 8, Last: 31, LoadID: e.LoadID,
	}
	return []event.Event{e, gap}
}

func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func written(t *testing.T, cfg *config.Config, e event.Event) string {
	t.Helper()
	encoder, err := pipeline.NewEncoder(&cfg.Sinks[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := encoder.Append(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func headers(t *testing.T, cfg *config.Config, e event.Event) string {
	t.Helper()
	encoder, err := pipeline.NewEncoder(&cfg.Sinks[0])
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	encoder.(event.Attributer).Attributes(&e, func(name, value string) { lines.WriteString(name + ": " + value + "\n") })
	return lines.String() + "content-type: " + encoder.ContentType() + "\n"
}

func originOf(every event.Origin) *event.Origin {
	o, _ := (&origin.Boots{}).Table(every, false, false).Of(1)
	return o
}

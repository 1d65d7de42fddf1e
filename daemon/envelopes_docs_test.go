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
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
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
// A configuration of another family has an event of ethtool.
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
	if cfg.Families[0].Name != genl.FamilyName {
		return ethtoolExamples(head)[:1]
	}
	return []event.Event{e, gap}
}

// ethtoolExamples decodes a message as the kernel sends it after "ethtool -A eth0 tx off", and
// another does not match the specification.
func ethtoolExamples(head event.Event) (events []event.Event) {
	decoder := record.Decoder{
		JournalID: head.JournalID, OriginOf: func(uint64) (*event.Origin, string) { return head.Origin, head.Host },
		SpecOf: func(family string) *ynl.Spec { spec, _ := ynl.Embedded(family); return spec },
	}
	header := kernelmsg.AppendAttr(kernelmsg.Attr(1, []byte{2, 0, 0, 0}), 2, []byte("eth0\x00"))
	attributes := [][][]byte{
		{kernelmsg.Attr(1, header), kernelmsg.Attr(2, []byte{0}), kernelmsg.Attr(3, []byte{1}), kernelmsg.Attr(4, []byte{0})},
		{kernelmsg.Attr(3, []byte{1, 1})},
	}
	for i, list := range attributes {
		message := kernelmsg.Message(21, 23, 1, list...)
		e, err := decoder.Decode(journal.Record{
			Seq: uint64(10 + i), Time: parseTime("2026-01-02T03:04:07.5Z").Add(time.Duration(i) * time.Second),
			Data: genl.AppendMulticast(nil, &genl.Multicast{Family: "ethtool", Group: "monitor", Message: message}),
		})
		if err != nil {
			panic(err)
		}
		events = append(events, e)
	}
	return events
}

func TestEventsPageShowsMessagesOfAnotherFamily(t *testing.T) {
	const page = "../docs/events.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ethtoolExamples(event.Event{JournalID: "6a9155caa46c7dcc", Host: "web-1"}) {
		if line := string(e.AppendJSON(nil)); !strings.Contains(string(text), "```json\n"+line+"\n```") {
			t.Errorf("%s does not have %s", page, line)
		}
	}
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

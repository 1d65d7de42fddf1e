// SPDX-License-Identifier: Apache-2.0

package fields

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

func each(e *event.Event) (list []string) {
	var n Namer
	n.Each(e, func(name, value []byte) { list = append(list, string(name)+"="+string(value)) })
	return list
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func TestEachReturnsEveryField(t *testing.T) {
	e := &event.Event{
		JournalID: "9f3c", Seq: 7, Time: at, KernelTime: at.Add(-time.Millisecond), KernelSeq: 41, LoadID: 0xabc,
		Host: "web-1", Family: "genltest", Group: "mcgrp", Message: []byte("hello"),
		Origin: &event.Origin{
			MachineID: "m", BootID: "b", KernelRelease: "6.1",
			Labels: []event.Label{{Name: "data-center", Value: "é"}},
		},
		Captures: []event.Capture{{Name: "user", Value: []byte("\xff\n")}},
	}
	want := []string{
		"GENLTEST_ID=9f3c-7", "GENLTEST_SEQ=7", "GENLTEST_KIND=event",
		"GENLTEST_TIME=2026-01-02T03:04:05.000000006Z", "GENLTEST_KERNEL_TIME=2026-01-02T03:04:04.999000006Z",
		"GENLTEST_KERNEL_SEQ=41", "GENLTEST_LOAD_ID=0000000000000abc",
		"GENLTEST_HOST=web-1", "GENLTEST_FAMILY=genltest", "GENLTEST_GROUP=mcgrp",
		"GENLTEST_MACHINE_ID=m", "GENLTEST_BOOT_ID=b", "GENLTEST_KERNEL_RELEASE=6.1",
		"GENLTEST_LABEL_DATA_CENTER=é", `GENLTEST_CAPTURE_USER=\xff\n`,
	}
	if diff := cmp.Diff(want, each(e)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestEachOmitsAbsentKernelFields(t *testing.T) {
	want := []string{"GENLTEST_ID=j-1", "GENLTEST_SEQ=1", "GENLTEST_KIND=event"}
	if diff := cmp.Diff(want, each(&event.Event{JournalID: "j", Seq: 1})); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestEachDoesNotAllocate(t *testing.T) {
	e := &event.Event{
		JournalID: "9f3c", Seq: 7, Time: at, KernelTime: at, KernelSeq: 41, LoadID: 0xabc, Host: "web-1",
		Origin:   &event.Origin{MachineID: "m", Labels: []event.Label{{Name: "site", Value: "berlin"}}},
		Captures: []event.Capture{{Name: "user", Value: []byte("x")}},
	}
	var n Namer
	bytes := 0
	if got := testing.AllocsPerRun(100, func() {
		n.Each(e, func(name, value []byte) { bytes += len(name) + len(value) })
	}); got != 0 {
		t.Errorf("%v allocations per event", got)
	}
}

func TestGapsAndSummariesHaveTheirOwnFields(t *testing.T) {
	gap := &event.Event{JournalID: "j", Seq: 8, Gap: &event.Gap{
		Count: 3, Reason: "kernel_buffer", From: at, To: at, LoadID: 1, First: 5,
		Last: 9,
	}}
	want := []string{
		"GENLTEST_ID=j-8", "GENLTEST_SEQ=8", "GENLTEST_KIND=gap", "GENLTEST_GAP_COUNT=3", "GENLTEST_GAP_REASON=kernel_buffer",
		"GENLTEST_GAP_FROM=2026-01-02T03:04:05.000000006Z", "GENLTEST_GAP_TO=2026-01-02T03:04:05.000000006Z",
		"GENLTEST_GAP_FIRST_KERNEL_SEQ=5", "GENLTEST_GAP_LAST_KERNEL_SEQ=9", "GENLTEST_GAP_LOAD_ID=0000000000000001",
	}
	if diff := cmp.Diff(want, each(gap)); diff != "" {
		t.Errorf("gap (-want +got):\n%s", diff)
	}
	suppressed := &event.Event{JournalID: "j", Seq: 9, Suppressed: &event.Suppressed{Count: 4, Reason: "rate_limit", From: at, To: at}}
	want = []string{
		"GENLTEST_ID=j-9-rate_limit", "GENLTEST_SEQ=9", "GENLTEST_KIND=suppressed", "GENLTEST_SUPPRESSED_COUNT=4",
		"GENLTEST_SUPPRESSED_REASON=rate_limit",
		"GENLTEST_SUPPRESSED_FROM=2026-01-02T03:04:05.000000006Z", "GENLTEST_SUPPRESSED_TO=2026-01-02T03:04:05.000000006Z",
	}
	if diff := cmp.Diff(want, each(suppressed)); diff != "" {
		t.Errorf("suppressed (-want +got):\n%s", diff)
	}
}

var validJournaldName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

func FuzzLabelNames(f *testing.F) {
	for _, s := range []string{"", "site", "data-center", "é=\n\x00", strings.Repeat("x", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, label string) {
		e := &event.Event{Origin: &event.Origin{Labels: []event.Label{{Name: label}}}, Captures: []event.Capture{{Name: label}}}
		var n Namer
		n.Each(e, func(name, _ []byte) {
			if !validJournaldName.Match(name) {
				t.Errorf("label %q has become the name %q", label, name)
			}
		})
	})
}

func contentEvent(build func(b *event.ObjectBuilder)) *event.Event {
	var b event.ObjectBuilder
	b.Reset()
	build(&b)
	return &event.Event{
		JournalID: "j", Seq: 1, Family: "ethtool", Group: "monitor",
		Content: &event.Content{Command: "features-ntf", Attributes: b.Object()},
	}
}

func TestAttributesAreFieldsWithTheirPaths(t *testing.T) {
	e := contentEvent(func(b *event.ObjectBuilder) {
		b.BeginObject("header")
		b.Text("dev-name", []byte("\x1b\n"))
		b.Text("empty", nil)
		b.End()
		b.Uint("17", 5)
	})
	e.Content.Error, e.Content.Raw = "bad", []byte{1, 2}
	want := []string{
		"GENLTEST_ID=j-1", "GENLTEST_SEQ=1", "GENLTEST_KIND=event", "GENLTEST_FAMILY=ethtool", "GENLTEST_GROUP=monitor",
		"GENLTEST_COMMAND=features-ntf", `GENLTEST_ATTR_HEADER_DEV_NAME=\x1b\n`, "GENLTEST_ATTR_17=5", "GENLTEST_ERROR=bad", "GENLTEST_RAW=0102",
	}
	if diff := cmp.Diff(want, each(e)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestAttributesBeyondTheLimitAreCounted(t *testing.T) {
	e := contentEvent(func(b *event.ObjectBuilder) {
		for i := range maxAttributes + 3 {
			b.Uint(strconv.Itoa(i), 1)
		}
	})
	list := each(e)
	last := []string{"GENLTEST_ATTR_199=1", "GENLTEST_OMITTED_ATTRIBUTES=3"}
	if diff := cmp.Diff(last, list[len(list)-2:]); diff != "" {
		t.Errorf("last fields (-want +got):\n%s", diff)
	}
}

func FuzzAttributeNames(f *testing.F) {
	f.Add("dev-name", "dev_NAME", strings.Repeat("x", 100))
	f.Fuzz(func(t *testing.T, first, second, third string) {
		e := contentEvent(func(b *event.ObjectBuilder) {
			b.Uint(first, 1)
			b.Uint(second, 2)
			b.BeginObject(third)
			b.Text(first, []byte("\xff"))
			b.End()
		})
		var n Namer
		seen := make(map[string]bool)
		n.Each(e, func(name, _ []byte) {
			if !validJournaldName.Match(name) || seen[string(name)] {
				t.Errorf("the name %q is not valid or not unique", name)
			}
			seen[string(name)] = true
		})
	})
}

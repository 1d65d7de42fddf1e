// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

const linkflap = `
name: linkflap
attribute-sets:
  - name: link
    attributes:
      - {name: dev-name, type: string}
      - {name: flaps, type: u32}
operations:
  list:
    - {name: flap-ntf, value: 1, attribute-set: link, event: {attributes: [dev-name, flaps]}}
`

func linkflapSpec(t testing.TB) *ynl.Spec {
	spec, err := ynl.Parse("linkflap.yaml", []byte(linkflap))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func newDecoder(specs ...*ynl.Spec) *record.Decoder {
	return &record.Decoder{
		JournalID: "j", OriginOf: func(uint64) (*event.Origin, string) { return nil, "host" },
		SpecOf: func(family string) *ynl.Spec {
			for _, s := range specs {
				if s.Family == family {
					return s
				}
			}
			return nil
		},
	}
}

func multicast(message []byte) journal.Record {
	data := genl.AppendMulticast(nil, &genl.Multicast{Family: "linkflap", Group: "events", Message: message})
	return journal.Record{Seq: 7, Time: time.Unix(1, 0), Data: data}
}

func flap(attrs ...[]byte) []byte { return kernelmsg.Message(40, 1, 1, attrs...) }

func name(s string) []byte { return kernelmsg.Attr(1, append([]byte(s), 0)) }

func TestMessagesOfOtherFamiliesAreDecodedByTheirSpecification(t *testing.T) {
	message := flap(name("eth0"), kernelmsg.Attr(2, []byte{1, 1, 1, 1}), kernelmsg.Attr(9, []byte{0xab}))
	cut := name("eth0")
	for test, c := range map[string]struct {
		specs   []*ynl.Spec
		message []byte
		want    string
	}{
		"with specification": {
			[]*ynl.Spec{linkflapSpec(t)},
			message,
			`"command":"flap-ntf","attributes":{"dev-name":"eth0","flaps":16843009,"9":"ab"}}`,
		},
		"without specification": {nil, message, `"command":"1","attributes":{"1":"6574683000","2":"01010101","9":"ab"}}`},
		"wrong length": {
			[]*ynl.Spec{linkflapSpec(t)},
			flap(name("eth0"), kernelmsg.Attr(2, []byte{1})),
			`"command":"flap-ntf","attributes":{"dev-name":"eth0","flaps":"01"},"error":"flaps: 1 bytes are not of type u32","raw":"`,
		},
		"cut": {
			[]*ynl.Spec{linkflapSpec(t)},
			flap(name("eth0"), kernelmsg.Attr(2, []byte{1, 1, 1, 1}))[:unix.NLMSG_HDRLEN+unix.GENL_HDRLEN+len(cut)],
			`"command":"flap-ntf","attributes":{"dev-name":"eth0"},` +
				`"error":"the header of the message reports 40 bytes, but it has 32","raw":"28000000`,
		},
		"no header": {
			nil,
			[]byte{1, 2},
			`"command":"","attributes":{},"error":"2 bytes are not a netlink message; its header has 16","raw":"0102"}`,
		},
		"no command": {
			nil, flap()[:unix.NLMSG_HDRLEN],
			`"command":"","attributes":{},"error":"the header of the message reports 20 bytes, but it has 16","raw":"14000000`,
		},
	} {
		d := newDecoder(c.specs...)
		var undecoded []string
		d.Undecoded = func(family string, _ uint64, fault string) { undecoded = append(undecoded, family+fault) }
		e, err := d.Decode(multicast(c.message))
		if err != nil || e.Message != nil {
			t.Errorf("%s: %v, text %q", test, err, e.Message)
		}
		got, head := string(e.AppendJSON(nil)), `"host":"host","family":"linkflap","group":"events",`
		if !strings.Contains(got, head+c.want) || !json.Valid([]byte(got)) {
			t.Errorf("%s: got %s, want %s", test, got, head+c.want)
		}
		if want := strings.Contains(c.want, `"error"`); len(undecoded) > 0 != want {
			t.Errorf("%s: the message is counted as not decoded: %v", test, undecoded)
		}
	}
}

func TestDecodingAMessageOfAnotherFamilyAllocatesAtMostFiveTimes(t *testing.T) {
	d := newDecoder(linkflapSpec(t))
	r := multicast(flap(name("eth0"), kernelmsg.Attr(2, []byte{1, 1, 1, 1})))
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := d.Decode(r); err != nil {
			t.Fatal(err)
		}
	}); n > 5 {
		t.Errorf("%v allocations", n)
	}
}

func TestDecodingAnEventOfGenltestAllocatesNothing(t *testing.T) {
	d := newDecoder()
	r := journal.Record{Seq: 7, Data: kernelmsg.Event("hello")}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := d.Decode(r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAGapNamesItsFamily(t *testing.T) {
	for family, want := range map[string]string{
		"":        `"family":"genltest","group":"mcgrp","gap":{"count":3`,
		"ethtool": `"family":"ethtool","group":"","gap":{"count":3`,
	} {
		gap := genl.Gap{Count: 3, Reason: "kernel_buffer", Family: family}
		e, err := newDecoder().Decode(journal.Record{Seq: 7, Data: genl.AppendGap(nil, &gap)})
		if got := string(e.AppendJSON(nil)); err != nil || !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestADamagedRecordOfAnotherFamilyIsAnError(t *testing.T) {
	r := multicast(flap(name("eth0")))
	r.Data = r.Data[:len(r.Data)-10]
	if _, err := newDecoder().Decode(r); err == nil {
		t.Error("no error")
	}
}

func TestListingARecordDoesNotCountItAsUndecoded(t *testing.T) {
	d := newDecoder()
	d.Undecoded = func(string, uint64, string) { t.Error("counted") }
	if line, err := d.AppendJSON(nil, "j", multicast([]byte{1})); err != nil || !strings.Contains(string(line), `"raw":"01"`) {
		t.Errorf("%v: %s", err, line)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(multicast(flap(name("eth0"))).Data)
	f.Add(genl.AppendGap(nil, &genl.Gap{Count: 1, Reason: "r", Family: "f"}))
	f.Add(kernelmsg.Event("hello"))
	d := newDecoder(linkflapSpec(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, multicast(data).Data} {
			e, err := d.Decode(journal.Record{Seq: 1, Data: data})
			if line := e.AppendJSON(nil); !json.Valid(line) || !event.IsVisible(line) {
				t.Errorf("%v: %q", err, line)
			}
			if text, exact := e.AppendShown(nil); exact && !event.IsVisible(text) {
				t.Errorf("%q", text)
			}
		}
	})
}

func BenchmarkDecodeMulticast(b *testing.B) {
	d := newDecoder(linkflapSpec(b))
	r := multicast(flap(name("eth0"), kernelmsg.Attr(2, []byte{1, 1, 1, 1})))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(r); err != nil {
			b.Fatal(err)
		}
	}
}

func TestWorkersDecodeConcurrently(t *testing.T) {
	d := newDecoder(linkflapSpec(t))
	var workers sync.WaitGroup
	for _, device := range []string{"eth0", "wlan0", "veth17", "lo"} {
		r := multicast(flap(name(device)))
		workers.Go(func() {
			for range 200 {
				e, err := d.Decode(r)
				v, _ := e.Content.Attributes.Lookup("dev_name")
				if err != nil || string(v.Bytes()) != device {
					t.Errorf("%v: got the device %q, want %q", err, v.Bytes(), device)
				}
			}
		})
	}
	workers.Wait()
}

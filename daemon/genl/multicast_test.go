// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

func TestMulticastRecordRoundTrip(t *testing.T) {
	for _, want := range []Multicast{
		{Family: "ethtool", Group: "monitor", Message: event(kernelmsg.Text("hello"))},
		{Family: "f", Group: "", Message: []byte{}},
		{Family: strings.Repeat("f", 15), Group: strings.Repeat("g", 15), Message: make([]byte, slotBytes)},
	} {
		data := AppendMulticast([]byte("before"), &want)[len("before"):]
		if !IsMulticast(data) || IsGap(data) {
			t.Errorf("%x is not a multicast record", data)
		}
		if verdict, _ := Classify(&Message{Data: data}, multicastType, Kernel); verdict == Event {
			t.Error("a multicast record is classified as an event")
		}
		got, err := DecodeMulticast(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
	}
}

func TestOtherRecordsAreNotMulticastRecords(t *testing.T) {
	for _, data := range [][]byte{nil, make([]byte, 5), event(kernelmsg.Text("hello")), AppendGap(nil, &Gap{Reason: "r"})} {
		if IsMulticast(data) {
			t.Errorf("%x is a multicast record", data)
		}
	}
}

func TestIncompleteMulticastRecordIsRejected(t *testing.T) {
	whole := AppendMulticast(nil, &Multicast{Family: "ethtool", Group: "monitor", Message: []byte("12345678")})
	for length := range len(whole) {
		if m, err := DecodeMulticast(whole[:length]); err == nil {
			t.Errorf("%d of %d bytes were decoded as %+v", length, len(whole), m)
		}
	}
}

func TestEncodingAMulticastRecordDoesNotAllocate(t *testing.T) {
	m := Multicast{Family: "ethtool", Group: "monitor", Message: make([]byte, 100)}
	buffer := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() { buffer = AppendMulticast(buffer[:0], &m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecodeMulticast(f *testing.F) {
	f.Add(AppendMulticast(nil, &Multicast{Family: "f", Group: "g", Message: []byte("m")}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMulticast(data)
		if err != nil {
			return
		}
		again, err := DecodeMulticast(AppendMulticast(nil, &m))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Errorf("record (-first +again):\n%s", diff)
		}
	})
}

func TestPayloadEndsWhereTheHeaderOfTheMessageReports(t *testing.T) {
	whole := event(kernelmsg.Text("hello"))
	for name, c := range map[string]struct {
		message []byte
		want    []byte
		isWhole bool
	}{
		"whole":             {whole, whole[nlmsgHeaderLen:], true},
		"cut":               {whole[:20], whole[nlmsgHeaderLen:20], false},
		"followed by bytes": {append(whole[:len(whole):len(whole)], 1, 2), whole[nlmsgHeaderLen:], false},
		"only a header":     {whole[:nlmsgHeaderLen], []byte{}, false},
		"no header":         {whole[:nlmsgHeaderLen-1], nil, false},
		"length of zero":    {make([]byte, 20), []byte{}, false},
	} {
		got, err := Payload(c.message)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != c.isWhole {
			t.Errorf("%s: %v, payload (-want +got):\n%s", name, err, diff)
		}
	}
}

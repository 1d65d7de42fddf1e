// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

func TestGapRoundTrip(t *testing.T) {
	for _, want := range []Gap{
		{Count: 1 << 40, Reason: "kernel_buffer", From: time.Unix(1, 2), To: time.Unix(3, 4), LoadID: 5, First: 6, Last: 7},
		{Count: 2, Reason: "kernel_buffer", From: time.Unix(1, 2), To: time.Unix(3, 4), Family: "ethtool"},
		{Count: 1, Reason: "x", From: time.Unix(0, -1), To: time.Unix(0, 0)},
	} {
		data := AppendGap([]byte("before"), &want)[len("before"):]
		if !IsGap(data) {
			t.Errorf("%x is not a gap", data)
		}
		if verdict, _ := Classify(&Message{Data: data}, gapType, Kernel); verdict == Event {
			t.Error("a gap is classified as an event")
		}
		got, err := DecodeGap(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("gap (-want +got):\n%s", diff)
		}
	}
}

func TestEventIsNotAGap(t *testing.T) {
	for _, data := range [][]byte{nil, make([]byte, 5), event(kernelmsg.Text("hello"))} {
		if IsGap(data) {
			t.Errorf("%x is a gap", data)
		}
	}
}

func FuzzDecodeGap(f *testing.F) {
	f.Add(AppendGap(nil, &Gap{Count: 1, Reason: "r"}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		gap, err := DecodeGap(data)
		if err != nil {
			return
		}
		again, err := DecodeGap(AppendGap(nil, &gap))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(gap, again); diff != "" {
			t.Errorf("gap (-first +again):\n%s", diff)
		}
	})
}

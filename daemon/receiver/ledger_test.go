// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLedgerRoundTrip(t *testing.T) {
	want := ledger{
		Received: 1, Lost: [reasons]uint64{2, 3, 4}, LoadID: 5, Seq: 6, UnnumberedDrops: 7, PriorLoadDrops: 8,
		Interruption: behindQueue, Socket: 9, Drops: 10, NotificationsSeen: 11, UnclassifiedDrops: 12, Family: 13, CoveredUntil: 14, LastGap: 15,
		PendingGaps: [reasons]loss{{Count: 16, From: 17}, {}, {First: 18}},
	}
	var got ledger
	encoded := encode(make([]byte, snapshotLen(len(want.numbers()))), want.numbers())
	if !decode(encoded, got.numbers()) {
		t.Fatal("not decoded")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if decode(encoded[1:], got.numbers()) || decode(nil, got.numbers()) {
		t.Error("decoded data of the wrong size")
	}
}

func TestLedgerVersions(t *testing.T) {
	want := ledger{Received: 1, Family: 34}
	current := encode(make([]byte, snapshotLen(len(want.numbers()))), want.numbers())
	later := slices.Clone(current)
	binary.NativeEndian.PutUint64(later, ledgerVersion+1)
	longer := append(slices.Clone(later), make([]byte, 8)...)
	for name, test := range map[string]struct {
		snapshot []byte
		ok       bool
	}{
		"this version":                  {current, true},
		"no version":                    {current[8:], true},
		"a later version":               {later, false},
		"a longer later version":        {longer, false},
		"this version with extra bytes": {append(slices.Clone(current), make([]byte, 8)...), false},
	} {
		var got ledger
		if ok := decode(test.snapshot, got.numbers()); ok != test.ok || ok && got != want {
			t.Errorf("%s: decoded %v, %+v", name, ok, got)
		}
	}
}

// The time between two readings of the clock during one start is not blind time.
func TestClockReadingsAddNoBlindTime(t *testing.T) {
	now := time.Unix(1000, 0)
	readings := time.Duration(0)
	r := &Receiver{Options: Options{Age: func(at time.Time) time.Duration {
		return now.Sub(at) + readings*time.Millisecond
	}}}
	for range 3 {
		readings++
		r.ledger.setCovered(now)
		if got := r.blind(now); got != 0 {
			t.Errorf("blind for %v", got)
		}
	}
	if got := r.blind(now.Add(time.Minute)); got != time.Minute {
		t.Errorf("blind for %v, want a minute", got)
	}
}

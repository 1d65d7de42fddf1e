// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"os"
	"testing"
)

func TestMeterStartsAtZero(t *testing.T) {
	m, err := openMeter()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.isMember("meter", notifyGroup); err != nil {
		t.Error(err)
	}
	if info, err := m.meminfo(); err != nil || info[skMeminfoDrops] != 0 {
		t.Errorf("%d drops, %v", info[skMeminfoDrops], err)
	}
	stored := storedCopy(t, m.descriptor)
	again, err := adoptMeter(stored)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestAdoptMeterRejectsOtherSockets(t *testing.T) {
	s, _, err := OpenEventSocket(Genltest, 1<<20, memoryBatch(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := storedCopy(t, s.descriptor)
	for _, f := range []*os.File{nil, f} {
		if m, err := adoptMeter(f); err == nil {
			t.Errorf("%v was adopted", f)
			m.Close()
		}
	}
	// The daemon uses the event socket nevertheless.
	again, _, err := AdoptEventSocket(Genltest, f, f, 1<<20, memoryBatch(t))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n, err := again.Notifications(); n != 0 || err != nil {
		t.Errorf("%d notifications, %v", n, err)
	}
}

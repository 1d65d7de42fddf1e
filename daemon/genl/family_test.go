// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

func TestParseNotification(t *testing.T) {
	ours := map[string]uint32{GroupName: 9}
	tests := map[string]struct {
		data    []byte
		want    Change
		wantErr bool
	}{
		"family registered": {
			kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, FamilyName, 34, ours),
			Change{Registered, FamilyIDs{34, []Group{{GroupName, 9}}}},
			false,
		},
		"family unregistered": {
			kernelmsg.Notification(unix.CTRL_CMD_DELFAMILY, FamilyName, 34, nil), Change{Unregistered, FamilyIDs{34, nil}}, false,
		},
		"another family": {kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, "nl80211", 35, ours), Change{}, false},
		"a group only":   {kernelmsg.Notification(unix.CTRL_CMD_NEWMCAST_GRP, FamilyName, 34, ours), Change{}, false},
		"cut":            {[]byte{1, 2, 3}, Change{}, true},
		"attributes that do not fit": {
			kernelmsg.Message(controllerID, unix.CTRL_CMD_NEWFAMILY, 2, []byte{200, 0, 1, 0}), Change{}, true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseNotification(Genltest, test.data)
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("change (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRegistryFindsFamilyAndUsedGroups(t *testing.T) {
	families := []genetlink.Family{
		{Name: "nlctrl", ID: 16, Groups: []genetlink.MulticastGroup{{ID: 16, Name: "notify"}}},
		{Name: "none", ID: 20},
		{Name: "two", ID: 34, Groups: []genetlink.MulticastGroup{{ID: 4, Name: "a"}, {ID: 5, Name: "b"}}},
	}
	two := FamilyIDs{34, []Group{{"a", 4}, {"b", 5}}}
	for name, want := range map[string]Registry{
		"two":     {Family: two, Used: []uint32{16, 4, 5}},
		"none":    {Family: FamilyIDs{ID: 20}, Used: []uint32{16, 4, 5}},
		"another": {Used: []uint32{16, 4, 5}},
	} {
		if diff := cmp.Diff(want, registryOf(families, Target{Family: name})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestErrFamilyAbsentIsNotExist(t *testing.T) {
	if !errors.Is(ErrFamilyAbsent, os.ErrNotExist) {
		t.Error("ErrFamilyAbsent does not match os.ErrNotExist")
	}
	if errors.Is(ErrFamilyAbsent, os.ErrPermission) {
		t.Error("ErrFamilyAbsent matches another error")
	}
}

func FuzzParseNotification(f *testing.F) {
	f.Add(kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, FamilyName, 34, map[string]uint32{GroupName: 9}))
	f.Add(kernelmsg.Notification(unix.CTRL_CMD_DELFAMILY, FamilyName, 34, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		change, err := ParseNotification(Genltest, data)
		if err != nil && change.Kind != Unrelated {
			t.Errorf("a change of kind %d with the error %v", change.Kind, err)
		}
	})
}

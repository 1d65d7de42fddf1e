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
	ours := map[string]uint32{"other": 8, GroupName: 9}
	tests := map[string]struct {
		data    []byte
		want    Change
		wantErr bool
	}{
		"family registered": {
			kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, FamilyName, 34, ours), Change{Registered, FamilyIDs{34, 9}}, false,
		},
		"family unregistered": {
			kernelmsg.Notification(unix.CTRL_CMD_DELFAMILY, FamilyName, 34, nil), Change{Unregistered, FamilyIDs{34, 0}}, false,
		},
		"another family": {kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, "nl80211", 35, ours), Change{}, false},
		"a group only":   {kernelmsg.Notification(unix.CTRL_CMD_NEWMCAST_GRP, FamilyName, 34, ours), Change{}, false},
		"namesake without the group": {
			kernelmsg.Notification(unix.CTRL_CMD_NEWFAMILY, FamilyName, 34, map[string]uint32{"x": 1}), Change{}, true,
		},
		"cut": {[]byte{1, 2, 3}, Change{}, true},
		"attributes that do not fit": {
			kernelmsg.Message(controllerID, unix.CTRL_CMD_NEWFAMILY, 2, []byte{200, 0, 1, 0}), Change{}, true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseNotification(test.data)
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("change (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRegistryFindsFamilyAndFreeGroups(t *testing.T) {
	other := func(name string, groups ...uint32) genetlink.Family {
		f := genetlink.Family{Name: name, ID: 20}
		for _, g := range groups {
			f.Groups = append(f.Groups, genetlink.MulticastGroup{ID: g, Name: "events"})
		}
		return f
	}
	ours := genetlink.Family{Name: FamilyName, ID: 34, Groups: []genetlink.MulticastGroup{{ID: 4, Name: GroupName}}}
	for name, test := range map[string]struct {
		families []genetlink.Family
		want     Registry
	}{
		"nothing": {nil, Registry{Free: [2]uint32{2, 3}}},
		"ours":    {[]genetlink.Family{other("nlctrl", 16), ours}, Registry{FamilyIDs{34, 4}, [2]uint32{2, 3}}},
		"holes":   {[]genetlink.Family{other("a", 2, 3, 5), other("b", 7)}, Registry{Free: [2]uint32{4, 6}}},
		"reserved ones": {
			[]genetlink.Family{other("a", 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)}, Registry{Free: [2]uint32{15, 19}},
		},
	} {
		got, err := registryOf(test.families)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := registryOf([]genetlink.Family{other(FamilyName, 5)}); err == nil {
		t.Error("a family without the group is accepted as ours")
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
		change, err := ParseNotification(data)
		if err == nil && change.Kind == Registered && change.IDs.Group == 0 {
			t.Error("registered without a group")
		}
	})
}

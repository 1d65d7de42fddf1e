// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"fmt"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// FamilyIDs are the numbers that the kernel assigned to the family and its group when
// the module was loaded.
type FamilyIDs struct {
	ID    uint16
	Group uint32
}

// resolveTimeout limits a request to nlctrl. The kernel replies in microseconds; the
// limit only prevents a fault from blocking the caller.
const resolveTimeout = 5 * time.Second

// A Registry is the part of nlctrl's state that the daemon uses.
type Registry struct {
	Family FamilyIDs // zero while the family is not registered
	Free   [2]uint32 // the lowest unused group numbers
}

// Resolve reads the registry from nlctrl over a new socket. On a socket that is a
// member of a group, the reply could not be distinguished from events.
func Resolve() (Registry, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return Registry{}, fmt.Errorf("open a generic netlink socket: %w", err)
	}
	defer conn.Close()
	return resolve(conn)
}

func resolve(conn *genetlink.Conn) (Registry, error) {
	if err := conn.SetDeadline(time.Now().Add(resolveTimeout)); err != nil {
		return Registry{}, fmt.Errorf("set a deadline: %w", err)
	}
	defer conn.SetDeadline(time.Time{}) // the next request reports the error
	// GetFamily is not used: for an unknown name, the kernel loads the module that has
	// a matching alias, so a module that was unloaded would be loaded again.
	families, err := conn.ListFamilies()
	if err != nil {
		return Registry{}, fmt.Errorf("list the generic netlink families: %w", err)
	}
	return registryOf(families)
}

func registryOf(families []genetlink.Family) (r Registry, err error) {
	used := map[uint32]bool{}
	for _, f := range families {
		for _, g := range f.Groups {
			used[g.ID] = true
		}
		if f.Name == FamilyName {
			if r.Family, err = idsOf(f); err != nil {
				return Registry{}, err
			}
		}
	}
	group := uint32(firstGroup)
	for i := range r.Free {
		for used[group] || group >= unix.GENL_ID_CTRL && group < unix.GENL_START_ALLOC {
			group++
		}
		r.Free[i] = group
		group++
	}
	return r, nil
}

func idsOf(family genetlink.Family) (FamilyIDs, error) {
	for _, g := range family.Groups {
		if g.Name == GroupName {
			return FamilyIDs{ID: family.ID, Group: g.ID}, nil
		}
	}
	return FamilyIDs{}, fmt.Errorf("family %s does not contain the multicast group %s: another module registered this name; unload it",
		FamilyName, GroupName)
}

// A Change is the effect of one nlctrl notification on our family.
type Change struct {
	Kind ChangeKind
	IDs  FamilyIDs // Group is set for Registered only
}

// FamilyAfter returns the id of the family after the change, or 0 if it is not
// registered then. The argument is the id before the change. The end of another load
// changes nothing.
func (c Change) FamilyAfter(family uint16) uint16 {
	switch {
	case c.Kind == Registered:
		return c.IDs.ID
	case c.Kind == Unregistered && c.IDs.ID == family:
		return noFamily
	}
	return family
}

// A ChangeKind is the type of a Change.
type ChangeKind uint8

// The kinds of change.
const (
	Unrelated    ChangeKind = iota // another family, or a detail that is not used
	Registered                     // the family was registered with these ids
	Unregistered                   // the family with this id was unregistered
)

// ParseNotification decodes a message for which Classify returned Notification.
func ParseNotification(data []byte) (Change, error) {
	if len(data) < headersLen {
		return Change{}, errShort
	}
	var kind ChangeKind
	switch data[nlmsgHeaderLen] {
	case unix.CTRL_CMD_NEWFAMILY:
		kind = Registered
	case unix.CTRL_CMD_DELFAMILY:
		kind = Unregistered
	default:
		return Change{}, nil
	}
	ids, name, err := parseFamily(data[headersLen:])
	if err != nil {
		return Change{}, fmt.Errorf("notification of nlctrl: %w", err)
	}
	if name != FamilyName {
		return Change{}, nil
	}
	if kind == Registered && ids.Group == 0 {
		return Change{}, fmt.Errorf("family %s was registered without the multicast group %s", FamilyName, GroupName)
	}
	return Change{Kind: kind, IDs: ids}, nil
}

func parseFamily(attrs []byte) (ids FamilyIDs, name string, err error) {
	err = eachAttr(attrs, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.CTRL_ATTR_FAMILY_ID:
			ids.ID = ad.Uint16()
		case unix.CTRL_ATTR_FAMILY_NAME:
			name = ad.String()
		case unix.CTRL_ATTR_MCAST_GROUPS:
			eachNested(ad, func(ad *netlink.AttributeDecoder) {
				if g := parseGroup(ad); g.Name == GroupName {
					ids.Group = g.ID
				}
			})
		}
	})
	return ids, name, err
}

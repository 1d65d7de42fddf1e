// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"fmt"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// FamilyIDs are the numbers that the kernel assigned to a family and its groups when the
// family was registered.
type FamilyIDs struct {
	ID     uint16
	Groups []Group // all groups of the family
}

// resolveTimeout limits a request to nlctrl. The kernel replies in microseconds; the
// limit only prevents a fault from blocking the caller.
const resolveTimeout = 5 * time.Second

// Resolve reads the registry of a target from nlctrl over a new socket. On a socket that is
// a member of a group, the reply could not be distinguished from events.
func Resolve(t Target) (Registry, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return Registry{}, fmt.Errorf("open a generic netlink socket: %w", err)
	}
	defer conn.Close()
	return resolve(conn, t)
}

func resolve(conn *genetlink.Conn, t Target) (Registry, error) {
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
	return registryOf(families, t), nil
}

func registryOf(families []genetlink.Family, t Target) (r Registry) {
	for _, f := range families {
		ids := FamilyIDs{ID: f.ID}
		for _, g := range f.Groups {
			ids.Groups = append(ids.Groups, Group{Name: g.Name, ID: g.ID})
			r.Used = append(r.Used, g.ID)
		}
		if f.Name == t.Family {
			r.Family = ids
		}
	}
	return r
}

// A Change is the effect of one nlctrl notification on the family of a target.
type Change struct {
	Kind ChangeKind
	IDs  FamilyIDs // Groups is set for Registered only
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

// ParseNotification decodes a message for which the verdict is Notification.
func ParseNotification(t Target, data []byte) (Change, error) {
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
	if name != t.Family {
		return Change{}, nil
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
			eachNested(ad, func(ad *netlink.AttributeDecoder) { ids.Groups = append(ids.Groups, parseGroup(ad)) })
		}
	})
	return ids, name, err
}

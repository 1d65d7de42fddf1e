// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"math"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

var (
	errNoName    = errors.New("a family without a name")
	errOperation = errors.New("the number of an operation exceeds 255")
)

// ParseFamily decodes the attributes of nlctrl's message about a family.
func ParseFamily(attrs []byte) (f FamilyInfo, err error) {
	err = eachAttr(attrs, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.CTRL_ATTR_FAMILY_ID:
			f.ID = ad.Uint16()
		case unix.CTRL_ATTR_FAMILY_NAME:
			f.Name = ad.String()
		case unix.CTRL_ATTR_VERSION:
			f.Version = ad.Uint32()
		case unix.CTRL_ATTR_HDRSIZE:
			f.HeaderBytes = ad.Uint32()
		case unix.CTRL_ATTR_MAXATTR:
			f.MaxAttr = ad.Uint32()
		case unix.CTRL_ATTR_OPS:
			eachNested(ad, func(ad *netlink.AttributeDecoder) { f.addOperation(ad) })
		case unix.CTRL_ATTR_MCAST_GROUPS:
			eachNested(ad, func(ad *netlink.AttributeDecoder) { f.Groups = append(f.Groups, parseGroup(ad)) })
		}
	})
	if err == nil && f.Name == "" {
		err = errNoName
	}
	if err != nil {
		return FamilyInfo{}, fmt.Errorf("message of nlctrl: %w", err)
	}
	return f, nil
}

func (f *FamilyInfo) addOperation(ad *netlink.AttributeDecoder) {
	var id, flags uint32
	eachNested(ad, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.CTRL_ATTR_OP_ID:
			id = ad.Uint32()
		case unix.CTRL_ATTR_OP_FLAGS:
			flags = ad.Uint32()
		}
	})
	if id > math.MaxUint8 {
		ad.Do(func([]byte) error { return errOperation }) // becomes the decoder's error
		return
	}
	f.Operations = append(f.Operations, Operation{ID: uint8(id), Flags: OperationFlags(flags)})
}

func parseGroup(ad *netlink.AttributeDecoder) (g Group) {
	eachNested(ad, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.CTRL_ATTR_MCAST_GRP_NAME:
			g.Name = ad.String()
		case unix.CTRL_ATTR_MCAST_GRP_ID:
			g.ID = ad.Uint32()
		}
	})
	return g
}

// eachAttr calls do at each attribute. A method of the decoder that fails ends the loop.
func eachAttr(attrs []byte, do func(*netlink.AttributeDecoder)) error {
	ad, err := netlink.NewAttributeDecoder(attrs)
	if err != nil {
		return err
	}
	for ad.Next() {
		do(ad)
	}
	return ad.Err()
}

// eachNested calls do at each attribute within the attribute of outer.
func eachNested(outer *netlink.AttributeDecoder, do func(*netlink.AttributeDecoder)) {
	outer.Nested(func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			do(ad)
		}
		return nil // Nested returns the decoder's own error
	})
}

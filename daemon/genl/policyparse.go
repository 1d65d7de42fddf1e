// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/sorting"
)

// maxPolicies is the number of policies of one family: the index of a policy is the type of
// an attribute, which has 14 bits.
const maxPolicies = 1 << 14

var errPolicyIndex = errors.New("the index of a policy exceeds 14 bits")

// ParsePolicies decodes the attributes of each of nlctrl's replies about the policies of
// one family, which has these operations.
func ParsePolicies(replies [][]byte, operations []Operation) (Policies, error) {
	var p Policies
	for _, attrs := range replies {
		if err := eachAttr(attrs, p.add); err != nil {
			return Policies{}, fmt.Errorf("message of nlctrl: %w", err)
		}
	}
	for i, policy := range p.List {
		sorting.Stable(policy, func(a, b PolicyAttr) int { return cmp.Compare(a.Number, b.Number) })
		p.List[i] = slices.CompactFunc(policy, func(a, b PolicyAttr) bool { return a.Number == b.Number })
	}
	p.restoreDumps(operations)
	return p, nil
}

// restoreDumps sets the numbers of operations that only dump. Some kernels, such as Linux
// 6.18, report 0 in their place. The kernel reports operations and policies in the same
// order.
func (p *Policies) restoreDumps(operations []Operation) {
	if slices.ContainsFunc(operations, func(op Operation) bool { return op.ID == 0 }) {
		return
	}
	for i := range p.Operations {
		o := &p.Operations[i]
		if o.ID != 0 || o.Do != NoPolicy {
			continue
		}
		next := slices.IndexFunc(operations, func(op Operation) bool {
			return op.Flags&(CanDo|CanDump|HasPolicy) == CanDump|HasPolicy
		})
		if next < 0 {
			return
		}
		o.ID = operations[next].ID
		operations = operations[next+1:]
	}
}

// add decodes one attribute: the policies of operations, or an attribute of a policy.
func (p *Policies) add(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case unix.CTRL_ATTR_OP_POLICY:
		eachNested(ad, p.addOperation)
	case unix.CTRL_ATTR_POLICY:
		eachNested(ad, func(ad *netlink.AttributeDecoder) {
			index := int(ad.Type())
			p.grow(index)
			eachNested(ad, func(ad *netlink.AttributeDecoder) {
				p.List[index] = append(p.List[index], p.attribute(ad))
			})
		})
	}
}

// addOperation decodes the policies of an operation, whose number is the type of the
// attribute.
func (p *Policies) addOperation(ad *netlink.AttributeDecoder) {
	if ad.Type() > math.MaxUint8 {
		ad.Do(func([]byte) error { return errOperation }) // becomes the decoder's error
		return
	}
	op := OperationPolicy{ID: uint8(ad.Type()), Do: NoPolicy, Dump: NoPolicy}
	eachNested(ad, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.CTRL_ATTR_POLICY_DO:
			op.Do = p.index(ad)
		case unix.CTRL_ATTR_POLICY_DUMP:
			op.Dump = p.index(ad)
		}
	})
	p.Operations = append(p.Operations, op)
}

// index decodes the index of a policy.
func (p *Policies) index(ad *netlink.AttributeDecoder) int {
	index := ad.Uint32()
	if index >= maxPolicies {
		ad.Do(func([]byte) error { return errPolicyIndex }) // becomes the decoder's error
		return NoPolicy
	}
	p.grow(int(index))
	return int(index)
}

// grow adds empty policies up to an index: a policy that rejects all attributes has no
// message of its own.
func (p *Policies) grow(index int) {
	for len(p.List) <= index {
		p.List = append(p.List, nil)
	}
}

// attribute decodes the rule for an attribute, whose number is the type of ad.
func (p *Policies) attribute(ad *netlink.AttributeDecoder) PolicyAttr {
	a := PolicyAttr{Number: ad.Type(), Nested: NoPolicy}
	var limits Range
	hasMax := false
	eachNested(ad, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.NL_POLICY_TYPE_ATTR_TYPE:
			a.Type = AttrType(ad.Uint32())
		case unix.NL_POLICY_TYPE_ATTR_MIN_VALUE_S:
			limits.Min = Signed(ad.Int64())
		case unix.NL_POLICY_TYPE_ATTR_MAX_VALUE_S:
			limits.Max, hasMax = Signed(ad.Int64()), true
		case unix.NL_POLICY_TYPE_ATTR_MIN_VALUE_U:
			limits.Min = Unsigned(ad.Uint64())
		case unix.NL_POLICY_TYPE_ATTR_MAX_VALUE_U:
			limits.Max, hasMax = Unsigned(ad.Uint64()), true
		case unix.NL_POLICY_TYPE_ATTR_POLICY_IDX:
			a.Nested = p.index(ad)
		default:
			a.setBytes(ad)
		}
	})
	if hasMax && limits != a.Type.limits() {
		a.Range = &limits
	}
	return a
}

// setBytes decodes the limits of bytes and of bits.
func (a *PolicyAttr) setBytes(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case unix.NL_POLICY_TYPE_ATTR_MIN_LENGTH:
		a.MinLen = ad.Uint32()
	case unix.NL_POLICY_TYPE_ATTR_MAX_LENGTH:
		n := ad.Uint32()
		a.MaxLen = &n
	case unix.NL_POLICY_TYPE_ATTR_BITFIELD32_MASK:
		mask := uint64(ad.Uint32())
		a.Mask = &mask
	case unix.NL_POLICY_TYPE_ATTR_MASK:
		mask := ad.Uint64()
		a.Mask = &mask
	}
}

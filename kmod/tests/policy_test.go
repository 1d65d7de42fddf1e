// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"testing"

	"github.com/mdlayher/netlink"
)

// From linux/genetlink.h and linux/netlink.h; package unix lacks them.
const (
	ctrlCmdGetPolicy = 10
	ctrlAttrFamilyID = 1
	ctrlAttrPolicy   = 8
	ctrlAttrOpPolicy = 9
	ctrlAttrPolicyDo = 1

	policyAttrType      = 1
	policyAttrMaxLength = 7

	typeNulString = 12
)

type attrPolicy struct{ Type, MaxLen uint32 }

// policies returns the policy of each command's do operation, by attribute. Rejected
// attributes are omitted.
func policies(t *testing.T) map[uint32]map[uint16]attrPolicy {
	t.Helper()
	id := mustGetFamily(t).ID
	byIndex := make(map[uint32]map[uint16]attrPolicy)
	indexOf := make(map[uint32]uint32)

	for _, msg := range nlctrl(t, ctrlCmdGetPolicy, netlink.Dump, func(ae *netlink.AttributeEncoder) {
		ae.Uint16(ctrlAttrFamilyID, id)
	}) {
		eachAttr(t, msg.Data, func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case ctrlAttrOpPolicy:
				eachAttr(t, ad.Bytes(), func(op *netlink.AttributeDecoder) {
					cmd := uint32(op.Type())
					eachAttr(t, op.Bytes(), func(ad *netlink.AttributeDecoder) {
						if ad.Type() == ctrlAttrPolicyDo {
							indexOf[cmd] = ad.Uint32()
						}
					})
				})
			case ctrlAttrPolicy:
				eachAttr(t, ad.Bytes(), func(policy *netlink.AttributeDecoder) {
					index := uint32(policy.Type())
					if byIndex[index] == nil {
						byIndex[index] = make(map[uint16]attrPolicy)
					}
					eachAttr(t, policy.Bytes(), func(a *netlink.AttributeDecoder) {
						byIndex[index][a.Type()] = parsePolicy(t, a.Bytes())
					})
				})
			}
		})
	}

	byCommand := make(map[uint32]map[uint16]attrPolicy)
	for cmd, index := range indexOf {
		byCommand[cmd] = byIndex[index]
	}
	return byCommand
}

func parsePolicy(t *testing.T, b []byte) attrPolicy {
	t.Helper()
	var p attrPolicy
	eachAttr(t, b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case policyAttrType:
			p.Type = ad.Uint32()
		case policyAttrMaxLength:
			p.MaxLen = ad.Uint32()
		}
	})
	return p
}

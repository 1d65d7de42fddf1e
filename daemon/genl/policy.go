// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"math"
	"strconv"

	"golang.org/x/sys/unix"
)

// Policies are the rules by which the kernel checks the attributes of requests to a
// family. They do not describe replies and events.
type Policies struct {
	Operations []OperationPolicy // in the order of the operations
	List       []Policy          // by index, without gaps
}

// An OperationPolicy names the policies of an operation: an index into the list, or
// NoPolicy.
type OperationPolicy struct {
	ID       uint8
	Do, Dump int
}

// Of returns the policies of an operation. Kernels before Linux 5.10 report one policy for
// the whole family.
func (p *Policies) Of(op Operation) OperationPolicy {
	for _, o := range p.Operations {
		if o.ID == op.ID {
			return o
		}
	}
	of := OperationPolicy{ID: op.ID, Do: NoPolicy, Dump: NoPolicy}
	if len(p.Operations) == 0 && len(p.List) > 0 && op.Flags&HasPolicy != 0 {
		if op.Flags&CanDo != 0 {
			of.Do = 0
		}
		if op.Flags&CanDump != 0 {
			of.Dump = 0
		}
	}
	return of
}

// NoPolicy is the index for a request whose attributes are not checked.
const NoPolicy = -1

// A Policy contains the attributes that a request or a nest may have, by number. The kernel
// omits attributes that it rejects.
type Policy []PolicyAttr

// A PolicyAttr is the rule for an attribute.
type PolicyAttr struct {
	Number uint16
	Type   AttrType
	Range  *Range  // of a number; nil if only the type limits it
	Mask   *uint64 // the bits that a number may have
	MinLen uint32  // in bytes
	MaxLen *uint32 // in bytes, without the terminating NUL of a text
	Nested int     // index of the policy of a nest, or NoPolicy
}

// A Range limits a number.
type Range struct{ Min, Max Limit }

// A Limit is a signed or unsigned number of 64 bits.
type Limit struct {
	bits     uint64
	isSigned bool
}

// Unsigned returns the limit of an unsigned number.
func Unsigned(v uint64) Limit { return Limit{v, false} }

// Signed returns the limit of a signed number.
func Signed(v int64) Limit { return Limit{uint64(v), true} }

// IsExact reports whether l is at most 2^53 from zero, as a program that reads JSON numbers
// as floating-point numbers requires.
func (l Limit) IsExact() bool {
	const most = 1 << 53
	if l.isSigned {
		return int64(l.bits) >= -most && int64(l.bits) <= most
	}
	return l.bits <= most
}

// String returns l in decimal digits.
func (l Limit) String() string {
	if l.isSigned {
		return strconv.FormatInt(int64(l.bits), 10)
	}
	return strconv.FormatUint(l.bits, 10)
}

// An AttrType is the type of an attribute, as the kernel numbers them.
type AttrType uint32

// The types of attributes. Those that are not here are in package unix.
const (
	typeSint AttrType = 16
	typeUint AttrType = 17
)

var attrTypes = [...]struct {
	name   string
	limits Range // of numbers
}{
	unix.NL_ATTR_TYPE_FLAG:         {name: "flag"},
	unix.NL_ATTR_TYPE_U8:           {"u8", Range{Unsigned(0), Unsigned(math.MaxUint8)}},
	unix.NL_ATTR_TYPE_U16:          {"u16", Range{Unsigned(0), Unsigned(math.MaxUint16)}},
	unix.NL_ATTR_TYPE_U32:          {"u32", Range{Unsigned(0), Unsigned(math.MaxUint32)}},
	unix.NL_ATTR_TYPE_U64:          {"u64", Range{Unsigned(0), Unsigned(math.MaxUint64)}},
	unix.NL_ATTR_TYPE_S8:           {"s8", Range{Signed(math.MinInt8), Signed(math.MaxInt8)}},
	unix.NL_ATTR_TYPE_S16:          {"s16", Range{Signed(math.MinInt16), Signed(math.MaxInt16)}},
	unix.NL_ATTR_TYPE_S32:          {"s32", Range{Signed(math.MinInt32), Signed(math.MaxInt32)}},
	unix.NL_ATTR_TYPE_S64:          {"s64", Range{Signed(math.MinInt64), Signed(math.MaxInt64)}},
	unix.NL_ATTR_TYPE_BINARY:       {name: "binary"},
	unix.NL_ATTR_TYPE_STRING:       {name: "string"},
	unix.NL_ATTR_TYPE_NUL_STRING:   {name: "nul-string"},
	unix.NL_ATTR_TYPE_NESTED:       {name: "nested"},
	unix.NL_ATTR_TYPE_NESTED_ARRAY: {name: "nested-array"},
	unix.NL_ATTR_TYPE_BITFIELD32:   {name: "bitfield32"},
	typeSint:                       {"sint", Range{Signed(math.MinInt64), Signed(math.MaxInt64)}},
	typeUint:                       {"uint", Range{Unsigned(0), Unsigned(math.MaxUint64)}},
}

// String returns the kernel's name of the type, and "type-N" for an unknown one.
func (t AttrType) String() string {
	if int(t) < len(attrTypes) && attrTypes[t].name != "" {
		return attrTypes[t].name
	}
	return "type-" + strconv.FormatUint(uint64(t), 10)
}

// limits returns the range of a type of numbers.
func (t AttrType) limits() Range {
	if int(t) < len(attrTypes) {
		return attrTypes[t].limits
	}
	return Range{}
}

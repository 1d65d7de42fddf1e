// SPDX-License-Identifier: Apache-2.0

package ynl

const (
	attrHeader = 4      // size of struct nlattr
	numberMask = 0x3fff // the other bits mark nested attributes and the byte order
)

// A ref is the place of an attribute in the message.
type ref struct {
	data       []byte
	next       int // index of the next attribute with the number in this block; 0 without one
	number     uint16
	isRepeated bool // an attribute before it has the same number
}

// An index finds the attributes of a block with the same number, at a cost that grows with
// the number of attributes only. Blocks are added and removed as on a stack.
type index struct {
	refs []ref
	last []last // by the number of an attribute
	// block numbers the blocks, so that entries of last need not be cleared.
	block uint64
}

type last struct {
	block uint64
	ref   int
}

// reset removes all blocks.
func (x *index) reset() { x.refs = append(x.refs[:0], ref{}) } // 0 is not the index of an attribute

// add adds the attributes of a block, and returns the index of the first. Rest is the part
// of the block that is not an attribute.
func (x *index) add(data []byte) (first int, rest []byte) {
	first = len(x.refs)
	x.block++
	for len(data) > 0 {
		number, payload, rest, ok := nextAttribute(data)
		if !ok {
			return first, data
		}
		x.append(number, payload)
		data = rest
	}
	return first, nil
}

func (x *index) append(number uint16, payload []byte) {
	if int(number) >= len(x.last) {
		x.last = append(x.last, make([]last, int(number)+1-len(x.last))...)
	}
	before, at := &x.last[number], len(x.refs)
	x.refs = append(x.refs, ref{data: payload, number: number, isRepeated: before.block == x.block})
	if before.block == x.block {
		x.refs[before.ref].next = at
	}
	*before = last{x.block, at}
}

// remove removes the last block, and the references to its message.
func (x *index) remove(first int) {
	clear(x.refs[first:])
	x.refs = x.refs[:first]
}

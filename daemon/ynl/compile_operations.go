// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"cmp"

	"github.com/genltestd/genltestd/config/strict"
)

// maxCommand is the largest number of a command: 8 bits.
const maxCommand = 255

// operations numbers the commands, and compiles those that the kernel sends.
func (c *compiler) operations() {
	ops := &c.file.Operations
	section := c.root.Within("operations")
	if len(ops.List) == 0 {
		c.root.Errorf("operations", "are missing; write a list of the family's commands")
		return
	}
	c.spec.other, _ = find(c, section, "x-attribute-set", ops.Default, c.sets, "the attribute set")
	for i := range ops.List {
		c.opsByName[string(ops.List[i].Name)] = &ops.List[i]
	}
	numbers := replyNumbers(ops, section)
	first := make(map[string]strict.Section)
	for i := range ops.List {
		op, s := &ops.List[i], section.At("list", i)
		s.Unique(first, "name", string(op.Name), "rename one of them")
		switch n := numbers[i]; {
		case !n.isSent:
		case n.number > maxCommand:
			s.Errorf("value", "command %d does not exist; the largest number is %d", n.number, maxCommand)
		default:
			c.operation(op, s, uint8(n.number))
		}
	}
}

// operation compiles a command.
func (c *compiler) operation(op *operation, s strict.Section, number uint8) {
	isEvent, isCall := op.isEvent(s), op.isCall(s)
	if !isEvent && !isCall {
		return // a reserved number
	}
	compiled := &command{
		name:   string(op.Name),
		set:    c.setOf(op, s),
		header: c.header(s, cmp.Or(op.FixedHeader, c.file.Operations.FixedHeader)),
		group:  string(op.Group),
	}
	c.checkHeader(compiled, s)
	switch {
	case !isEvent && c.spec.replies[number] == nil:
		c.spec.replies[number] = compiled
	case isEvent && c.spec.events[number] != nil:
		s.Errorf("name", "has the number %d of %q; write its own number as value", number, c.spec.events[number].name)
	case isEvent:
		c.spec.events[number] = compiled
	}
}

// isEvent reports whether the kernel multicasts the message.
func (op *operation) isEvent(s strict.Section) bool { return op.Notify != "" || s.Given("event") }

// isCall reports whether the message answers a request.
func (op *operation) isCall(s strict.Section) bool { return s.Given("do") || s.Given("dump") }

// setOf returns the attribute set of a command: the set of our key, its own, or that of the
// command whose reply it has.
func (c *compiler) setOf(op *operation, s strict.Section) *attrSet {
	if op.Overlay != "" {
		set, _ := find(c, s, "x-attribute-set", op.Overlay, c.sets, "the attribute set")
		return set
	}
	set, key := op.Set, "attribute-set"
	if op.Notify != "" {
		other := c.opsByName[string(op.Notify)]
		if other == nil {
			s.Errorf("notify", "the operation %q is not defined; write the name of an operation with a reply", op.Notify)
			return nil
		}
		set, key = cmp.Or(op.Set, other.Set), "notify"
	}
	if set == "" {
		s.Errorf(key, "the attribute set is missing; write attribute-set")
		return nil
	}
	found, _ := find(c, s, key, set, c.sets, "the attribute set")
	return found
}

// checkHeader reports members of a fixed header that have the name of an attribute.
func (c *compiler) checkHeader(to *command, s strict.Section) {
	if to.header == nil || to.set == nil {
		return
	}
	for i := range to.header.members {
		if m := &to.header.members[i]; m.kind != kindPad && to.set.names[m.name] {
			s.Errorf("fixed-header", "its member %q is also an attribute of %q; rename it", m.name, to.set.name)
		}
	}
}

// A numbered operation has the number of its message from the kernel.
type numbered struct {
	number uint64
	isSent bool // the kernel sends the message
}

// replyNumbers returns the numbers of all operations. The model unified counts all
// operations. The model directional counts the messages from the kernel separately.
func replyNumbers(ops *operations, section strict.Section) []numbered {
	list := make([]numbered, len(ops.List))
	next := uint64(1)
	for i := range ops.List {
		op, s := &ops.List[i], section.At("list", i)
		n := numbered{op.Value.or(next), true}
		if ops.Model == "directional" {
			n = op.directional(s, next)
		}
		if list[i] = n; n.isSent {
			next = n.number + 1
		}
	}
	return list
}

// directional returns the number of an operation in the model directional.
func (op *operation) directional(s strict.Section, next uint64) numbered {
	switch {
	case op.isEvent(s):
		return numbered{op.Value.or(next), true}
	case s.Given("do"):
		return numbered{op.Do.Reply.Value.or(next), s.Within("do").Given("reply")}
	}
	return numbered{op.Dump.Reply.Value.or(next), s.Within("dump").Given("reply")}
}

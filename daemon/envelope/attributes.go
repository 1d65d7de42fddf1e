// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
)

// Attributes are the attributes of a message as a template sees them. A template writes
// them as JSON.
type Attributes struct{ object event.Object }

func (a *Attributes) String() string { return string(a.object.AppendJSON(nil)) }

// Attributes returns the attributes of a message, or nil for an event without attributes.
func (v *View) Attributes() *Attributes {
	if v.e.Content == nil {
		return nil
	}
	return &Attributes{v.e.Content.Attributes}
}

// Command returns the command of a message; empty for an event without attributes.
func (v *View) Command() Text {
	if v.e.Content == nil {
		return ""
	}
	return Text(v.e.Content.Command)
}

// Error returns why a message could not be decoded completely; empty otherwise.
func (v *View) Error() Text {
	if v.e.Content == nil {
		return ""
	}
	return Text(v.e.Content.Error)
}

// An Attribute is one attribute, for the function json.
type Attribute struct{ value event.Value }

func (a *Attribute) String() string { return string(a.value.AppendJSON(nil)) }

// attributesField is the name of the method Attributes.
const attributesField = "Attributes"

// The functions that return an attribute: as a text, and as a value for JSON.
const (
	attributeName      = "attribute"
	attributeValueName = "attributeValue"
)

// attribute returns the text of an attribute; empty if the event does not have the attribute. A
// comparison in a template then never fails for an event.
func (b *budget) attribute(a *Attributes, path string) (Text, error) {
	text, err := b.spendResult(string(a.lookup(path).AppendText(nil)), nil)
	return Text(text), err
}

func attributeValue(a *Attributes, path string) *Attribute { return &Attribute{a.lookup(path)} }

func (a *Attributes) lookup(path string) event.Value {
	if a == nil {
		return event.Value{}
	}
	v, _ := a.object.Lookup(path)
	return v
}

// attributeIn is lookup for an event and the names of a path.
func attributeIn(e *event.Event, path string) event.Value {
	if e.Content == nil {
		return event.Value{}
	}
	v, _ := e.Content.Attributes.Lookup(path)
	return v
}

// attributeSteps write an attribute like the functions attribute and json.
func attributeSteps(names []string) (plain, asJSON step) {
	path := strings.Join(names, ".")
	plain = func(dst []byte, e *event.Event) []byte {
		begin := len(dst)
		dst = attributeIn(e, path).AppendText(dst)
		if event.IsVisible(dst[begin:]) {
			return dst
		}
		return event.AppendVisible(dst[:begin], string(dst[begin:]))
	}
	return plain, func(dst []byte, e *event.Event) []byte { return attributeIn(e, path).AppendJSON(dst) }
}

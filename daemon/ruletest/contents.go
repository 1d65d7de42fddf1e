// SPDX-License-Identifier: Apache-2.0

package ruletest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/similar"
)

// contents builds the messages of families other than genltest.
type contents struct {
	cfg   *config.Config
	specs *families.Specs
	tests *config.RuleTests
}

// group returns the multicast group of an event.
func (c *contents) group(e *config.RuleTestEvent) string {
	family, spec := c.family(e.Family), c.specs.Of(e.Family)
	switch {
	case e.Group != "":
		return e.Group
	case e.Family == config.Genltest:
		return genl.GroupName
	case e.Gap.Count > 0: // as the daemon writes it
		return ""
	case family != nil && len(family.Groups) > 0:
		return family.Groups[0]
	case spec != nil && len(spec.Groups) > 0:
		return spec.Groups[0]
	}
	return ""
}

// family returns the configuration of a family, or nil.
func (c *contents) family(name string) *config.Family {
	for i := range c.cfg.Families {
		if c.cfg.Families[i].Name == name {
			return &c.cfg.Families[i]
		}
	}
	return nil
}

// of returns the message of an event.
func (c *contents) of(e *config.RuleTestEvent) *event.Content {
	var b event.ObjectBuilder
	b.Reset()
	fields := c.fieldsOf(e.Family)
	addMembers(&b, fields, nil, e.Attributes)
	return &event.Content{Command: e.Command, Attributes: b.Object()}
}

// fieldsOf returns the specification of a family, or one without attributes.
func (c *contents) fieldsOf(family string) *ynl.Spec {
	if spec := c.specs.Of(family); spec != nil {
		return spec
	}
	return new(ynl.Spec)
}

func addMembers(b *event.ObjectBuilder, fields *ynl.Spec, path []string, o strict.Object) {
	for _, m := range o {
		if isBase64(o, m.Key) {
			continue
		}
		if text, ok := exactText(o, m.Key); ok {
			b.Text(m.Key, text)
			continue
		}
		add(b, fields, append(path[:len(path):len(path)], ynl.PathName(m.Key)), m.Key, m.Value)
	}
}

// isBase64 reports whether a name is that of the exact bytes of another attribute.
func isBase64(o strict.Object, name string) bool {
	of, ok := strings.CutSuffix(name, event.Base64Suffix)
	return ok && slices.ContainsFunc(o, func(m strict.Member) bool { return m.Key == of })
}

// exactText returns the bytes of a text that is not valid UTF-8.
func exactText(o strict.Object, name string) (text []byte, ok bool) {
	i := slices.IndexFunc(o, func(m strict.Member) bool { return m.Key == name+event.Base64Suffix })
	if i < 0 {
		return nil, false
	}
	encoded, _ := o[i].Value.(string)
	text, err := base64.StdEncoding.DecodeString(encoded)
	return text, err == nil && encoded != ""
}

func add(b *event.ObjectBuilder, fields *ynl.Spec, path []string, name string, value any) {
	switch v := value.(type) {
	case strict.Object:
		b.BeginObject(name)
		addMembers(b, fields, path, v)
		b.End()
	case []any:
		b.BeginList(name)
		for i, entry := range v {
			add(b, fields, append(path[:len(path):len(path)], strconv.Itoa(i)), "", entry)
		}
		b.End()
	case bool:
		b.Bool(name, v)
	case int64:
		if v < 0 {
			b.Int(name, v)
		} else {
			b.Uint(name, uint64(v))
		}
	case uint64:
		b.Uint(name, v)
	case string:
		addText(b, fields, path, name, v)
	}
}

// addText adds a text, or the number that JSON has as a text because it is large.
func addText(b *event.ObjectBuilder, fields *ynl.Spec, path []string, name, text string) {
	if field, _ := fields.Field(path); field.Type == ynl.NumberType {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			b.Uint(name, n)
			return
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			b.Int(name, n)
			return
		}
	}
	b.Text(name, []byte(text))
}

// faults returns the families that are not configured, and the commands, attributes and
// types of attributes that no event has.
func (c *contents) faults() (all config.Errors) {
	for i, test := range c.tests.Tests {
		for j := range test.Events {
			e, path := &test.Events[j], fmt.Sprintf("tests[%d].events[%d]", i, j)
			spec := c.specs.Of(e.Family)
			switch {
			case c.family(e.Family) == nil:
				all = append(all, c.unknownFamily(e.Family, path))
			case spec != nil:
				all = append(all, c.commandFault(spec, e.Command, path)...)
				all = append(all, c.attributeFaults(spec, nil, e.Attributes, path+".attributes")...)
			}
		}
	}
	return all
}

func (c *contents) unknownFamily(name, path string) *config.FieldError {
	var known []string
	for i := range c.cfg.Families {
		known = append(known, c.cfg.Families[i].Name)
	}
	return c.tests.Fault(path+".family", "%s is not a family of the configuration; %s", strict.Quote(name), advice(name, known))
}

func (c *contents) commandFault(spec *ynl.Spec, command, path string) config.Errors {
	commands := spec.Commands()
	if command == "" || slices.Contains(commands, command) || ynl.IsNumber(command) {
		return nil
	}
	return config.Errors{c.tests.Fault(path+".command", "%s does not have the command %s; %s",
		spec.Family, strict.Quote(command), advice(command, commands))}
}

func (c *contents) attributeFaults(spec *ynl.Spec, names []string, value any, path string) (all config.Errors) {
	switch v := value.(type) {
	case strict.Object:
		for _, m := range v {
			inner, at := append(names[:len(names):len(names)], ynl.PathName(m.Key)), strict.Join(path, strict.PathKey(m.Key))
			if isBase64(v, m.Key) {
				continue
			}
			if field, ok := spec.Field(inner); !ok {
				all = append(all, c.unknownAttribute(spec, inner, at))
			} else if want := wantedForm(field.Type, m.Value); want != "" {
				all = append(all, c.tests.Fault(at, "events of %s have another type here; write %s", spec.Family, want))
			} else {
				all = append(all, c.attributeFaults(spec, inner, m.Value, at)...)
			}
		}
	case []any:
		for i, entry := range v {
			inner := append(names[:len(names):len(names)], strconv.Itoa(i))
			all = append(all, c.attributeFaults(spec, inner, entry, fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return all
}

// wantedForm returns how values of a type are written, or "" if an event can have the value.
func wantedForm(of ynl.ValueType, value any) string {
	if text, ok := value.(string); ok && isDigits(text) {
		return ""
	}
	isRight, want := true, ""
	switch of {
	case ynl.NumberType:
		_, isInt := value.(int64)
		_, isUint := value.(uint64)
		isRight, want = isInt || isUint, "a number"
	case ynl.FlagType:
		_, isRight = value.(bool)
		want = "true"
	case ynl.ObjectType:
		_, isRight = value.(strict.Object)
		want = "keys and values, such as {name: value}"
	case ynl.TextsType, ynl.NumbersType, ynl.ListType:
		_, isRight = value.([]any)
		want = "a list, such as [value]"
	}
	if isRight {
		return ""
	}
	return want
}

// isDigits reports whether a text is a large number, or the hexadecimal digits of a value that
// could not be decoded. Each attribute can be such a text.
func isDigits(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil || ynl.IsNumber(strings.TrimPrefix(text, "-"))
}

func (c *contents) unknownAttribute(spec *ynl.Spec, names []string, path string) *config.FieldError {
	name := names[len(names)-1]
	of, _ := spec.Field(names[:len(names)-1])
	return c.tests.Fault(path, "events of %s do not have this attribute; %s", spec.Family, advice(name, of.Names))
}

func advice(name string, known []string) string {
	if best := similar.Closest(name, known); best != "" {
		return "did you mean " + strconv.Quote(best) + "?"
	}
	if len(known) == 0 {
		return "remove it"
	}
	return "write one of " + similar.List(known)
}

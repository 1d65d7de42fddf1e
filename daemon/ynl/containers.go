// SPDX-License-Identifier: Apache-2.0

package ynl

import "github.com/genltestd/genltestd/daemon/event"

// array decodes an attribute whose attributes are the entries of an array: their numbers
// are indexes.
func (d *Decoder) array(a *attr, name string, data []byte) {
	d.build.BeginList(name)
	for len(data) > 0 {
		number, payload, rest, ok := nextAttribute(data)
		if !ok {
			d.fault("", "%d bytes of the array are not an entry", len(data))
			break
		}
		if a.item != nil {
			d.value(a.item, "", payload)
		} else {
			d.build.BeginObject("")
			if a.nested != nil && !a.nested.names[indexName] {
				d.build.Uint(indexName, uint64(number))
			}
			d.block(a.nested, payload)
			d.build.End()
		}
		data = rest
	}
	d.build.End()
}

// indexName is the name of the index in an object of an array.
const indexName = "index"

// typeValue decodes attributes whose numbers are values: one within the other, and the
// innermost contains attributes of the set.
func (d *Decoder) typeValue(a *attr, name string, data []byte) {
	d.build.BeginObject(name)
	for _, key := range a.typeValue {
		number, payload, rest, ok := nextAttribute(data)
		if !ok || len(rest) > 0 {
			d.keep(key, data, "%d bytes are not one attribute", len(data))
			d.build.End()
			return
		}
		d.build.Uint(key, uint64(number))
		data = payload
	}
	d.block(a.nested, data)
	d.build.End()
}

// subMessage decodes an attribute whose format depends on the value of another attribute,
// which must be before it.
func (d *Decoder) subMessage(a *attr, name string, data []byte) {
	var selected [64]byte
	selector, ok := d.build.Find(a.selector)
	if !ok {
		d.keep(name, data, "the attribute %s, which selects the format, is missing", a.selector)
		return
	}
	var format messageFormat
	if ok = len(selector.Bytes()) <= len(selected); ok {
		format, ok = (*a.formats)[string(selector.AppendText(selected[:0]))]
	}
	if !ok { // a newer kernel can have more formats
		d.build.Bytes(name, data, event.Hex)
		return
	}
	d.build.BeginObject(name)
	if format.header != nil && format.set == nil {
		d.members(format.header, data)
	} else {
		d.block(format.set, d.header(format.header, data))
	}
	d.build.End()
}

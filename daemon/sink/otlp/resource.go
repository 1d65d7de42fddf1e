// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"fmt"
	"slices"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A describer writes the resource of an event: the daemon on the host that received it.
type describer struct {
	version string
	own     []ownAttribute // of the configuration
	text    []byte
}

type ownAttribute struct {
	name  string
	value event.Encoder
}

func newDescriber(c *Config, env sink.Env) (*describer, error) {
	values, err := env.CompileAll(c.Templates())
	if err != nil {
		return nil, err
	}
	d := &describer{version: env.Version}
	for i, a := range c.Resource {
		d.own = append(d.own, ownAttribute{a.Name, values[i]})
	}
	return d, nil
}

// append appends a resource as the field of a ResourceLogs.
func (d *describer) append(dst []byte, e *event.Event) ([]byte, error) {
	dst, resource := begin(dst, resourceLogsResource)
	dst = d.standard(dst, "service.name", "genltestd")
	dst = d.standard(dst, "service.version", d.version)
	dst = d.standard(dst, "host.name", e.Host)
	if e.Origin != nil {
		dst = d.standard(dst, "host.id", e.Origin.MachineID)
	}
	dst = d.standard(dst, "os.type", "linux")
	for _, a := range d.own {
		var err error
		if d.text, err = a.value.Append(d.text[:0], e); err != nil {
			return dst, fmt.Errorf("event %s: resource attribute %s: %w", e.ID(), a.name, err)
		}
		if len(d.text) > 0 {
			var key, value int
			dst, key, value = attributes(resourceAttributes).begin(dst, "", a.name)
			dst = end(end(appendText(dst, valueString, d.text), value), key)
		}
	}
	return end(dst, resource), nil
}

// standard appends an attribute that the configuration does not replace.
func (d *describer) standard(dst []byte, name, text string) []byte {
	if slices.ContainsFunc(d.own, func(a ownAttribute) bool { return a.name == name }) {
		return dst
	}
	return attributes(resourceAttributes).text(dst, name, text)
}

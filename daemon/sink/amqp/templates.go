// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Templates implements sink.Templater.
func (c *Config) Templates() []sink.Template {
	list := []sink.Template{
		{Key: "amqp.routing_key", Text: c.RoutingKey, Replace: appendWord, Accept: acceptShort},
		{Key: "amqp.type", Text: c.Type, Accept: acceptShort},
	}
	for i, h := range c.Headers {
		list = append(list, sink.Template{Key: fmt.Sprintf("amqp.headers[%d].value", i), Text: h.Value})
	}
	return list
}

// appendWord appends value as one word of a routing key. The dot separates words, and * and #
// are wildcards in the keys of bindings. An empty word would not match the wildcard *.
func appendWord(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, '_')
	}
	return sink.ReplaceRunes(dst, value, "_", func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '.' || r == '*' || r == '#'
	})
}

func acceptShort(result []byte) error {
	if len(result) > maxShort {
		return fmt.Errorf("the result has %d bytes; AMQP allows %d", len(result), maxShort)
	}
	return nil
}

// encoders write the templates of a sink.
type encoders struct {
	routingKey, kind event.Encoder
	headers          []event.Encoder
}

func compile(c *Config, env sink.Env) (*encoders, error) {
	all, err := env.CompileAll(c.Templates())
	if err != nil {
		return nil, err
	}
	return &encoders{routingKey: all[0], kind: all[1], headers: all[2:]}, nil
}

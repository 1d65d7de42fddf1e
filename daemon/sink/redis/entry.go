// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"strconv"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// An entry builds the arguments of XADD. Its memory is used for each event again.
type entry struct {
	config  *Config
	now     func() time.Time
	encoder event.Encoder
	stream  event.Encoder
	values  []event.Encoder // of the configured fields

	text []byte
	ends []int // of the parts of text: the key, the id, the event and the values
	args []any
}

func newEntry(c *Config, env sink.Env) (*entry, error) {
	compiled, err := env.CompileAll(c.Templates())
	if err != nil {
		return nil, err
	}
	e := &entry{config: c, now: env.Now, encoder: env.Encoder, stream: compiled[0], values: compiled[1:]}
	if e.now == nil {
		e.now = time.Now
	}
	return e, nil
}

// arguments returns those of XADD for an event, until the next call. Its errors are permanent.
func (e *entry) arguments(ev *event.Event) ([]any, error) {
	if err := e.encode(ev); err != nil {
		return nil, sink.Refuse(sink.RefusedEncode, ev, err)
	}
	e.args = append(e.args[:0], e.part(0))
	e.args = append(e.args, e.trim()...)
	e.args = append(e.args, "*", e.config.IDField, e.part(1), e.config.EventField, e.part(2))
	for i := range e.values {
		e.args = append(e.args, e.config.Fields[i].Name, e.part(3+i))
	}
	return e.args, nil
}

func (e *entry) encode(ev *event.Event) (err error) {
	e.text, e.ends = e.text[:0], e.ends[:0]
	if err := e.add(e.stream, ev); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	e.text = ev.AppendID(e.text)
	e.ends = append(e.ends, len(e.text))
	if err := e.add(e.encoder, ev); err != nil {
		return err
	}
	for i, value := range e.values {
		if err := e.add(value, ev); err != nil {
			return fmt.Errorf("fields[%d]: %w", i, err)
		}
	}
	return nil
}

func (e *entry) add(encoder event.Encoder, ev *event.Event) (err error) {
	e.text, err = encoder.Append(e.text, ev)
	e.ends = append(e.ends, len(e.text))
	return err
}

func (e *entry) part(i int) []byte {
	begin := 0
	if i > 0 {
		begin = e.ends[i-1]
	}
	return e.text[begin:e.ends[i]]
}

// trim returns the arguments that limit the stream. With ~, the server removes whole nodes of
// its tree, which costs almost nothing.
func (e *entry) trim() []any {
	switch {
	case e.config.MaxLength > 0:
		return []any{"MAXLEN", "~", e.config.MaxLength}
	case e.config.MaxAge > 0:
		oldest := e.now().Add(-time.Duration(e.config.MaxAge))
		return []any{"MINID", "~", strconv.FormatInt(oldest.UnixMilli(), 10)}
	}
	return nil
}

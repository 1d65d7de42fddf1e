// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"bytes"
	"cmp"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A builder writes requests. Consecutive events with the same resource share one ResourceLogs,
// so the records keep the order of the events.
type builder struct {
	limit    int
	scope    []byte // field of a ScopeLogs
	recorder recorder
	resource *describer

	text    []byte // finished ResourceLogs
	current []byte // resource of the records
	next    []byte // resource of the next event
	records []byte // fields of the ScopeLogs that is not finished
}

func newBuilder(c *Config, env sink.Env) (*builder, error) {
	resource, err := newDescriber(c, env)
	if err != nil {
		return nil, err
	}
	scope, start := begin(nil, scopeLogsScope)
	scope = appendText(scope, scopeName, c.Scope.Name)
	scope = end(appendText(scope, scopeVersion, cmp.Or(c.Scope.Version, env.Version)), start)
	return &builder{limit: int(c.MaxRequest), scope: scope, recorder: recorder{severity: severityOf(c.Severity)}, resource: resource}, nil
}

// build returns a request with the first n of the events, as many as the limit allows. If n is
// less than all and err is not nil, err is the reason why event n can never be sent. The
// request is valid until the next call.
func (b *builder) build(events []event.Event) (request []byte, n int, err error) {
	b.text, b.records = b.text[:0], b.records[:0]
	for n < len(events) {
		if b.next, err = b.resource.append(b.next[:0], &events[n]); err != nil {
			err = sink.Permanent(sink.Refusal{Kind: sink.RefusedEncode}.Mark(err))
			break
		}
		if !bytes.Equal(b.next, b.current) {
			b.finish()
			b.current = append(b.current[:0], b.next...)
		}
		before := len(b.records)
		b.records = b.recorder.append(b.records, &events[n])
		if size := b.size(); size > b.limit {
			b.records = b.records[:before]
			if n == 0 {
				err = b.tooLarge(&events[n], size)
			}
			break
		}
		n++
	}
	b.finish()
	return b.text, n, err
}

func (b *builder) tooLarge(e *event.Event, size int) error {
	return sink.Permanent(sink.Refusal{Kind: sink.RefusedTooLarge}.Mark(
		fmt.Errorf("event %s: the request with it alone has %d bytes, more than max_request allows, which is %d", e.ID(), size, b.limit)))
}

// lengths returns the lengths of the ScopeLogs and of the ResourceLogs that are not finished.
func (b *builder) lengths() (scopeLogs, resourceLogs int) {
	scopeLogs = len(b.scope) + len(b.records)
	return scopeLogs, len(b.current) + protowire.SizeTag(resourceLogsScopeLogs) + protowire.SizeBytes(scopeLogs)
}

// size returns the length of the request if no event follows.
func (b *builder) size() int {
	_, resourceLogs := b.lengths()
	return len(b.text) + protowire.SizeTag(requestResourceLogs) + protowire.SizeBytes(resourceLogs)
}

// finish appends the ResourceLogs of the records.
func (b *builder) finish() {
	if len(b.records) == 0 {
		return
	}
	scopeLogs, resourceLogs := b.lengths()
	b.text = protowire.AppendTag(b.text, requestResourceLogs, protowire.BytesType)
	b.text = protowire.AppendVarint(b.text, uint64(resourceLogs))
	b.text = append(b.text, b.current...)
	b.text = protowire.AppendTag(b.text, resourceLogsScopeLogs, protowire.BytesType)
	b.text = protowire.AppendVarint(b.text, uint64(scopeLogs))
	b.text = append(append(b.text, b.scope...), b.records...)
	b.records = b.records[:0]
}

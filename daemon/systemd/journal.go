// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/genltestd/genltestd/daemon/messages"
	"github.com/genltestd/genltestd/daemon/systemd/entry"
)

// fieldPrefix precedes the names of attributes in the names of fields.
const fieldPrefix = "GENLTESTD_"

// A journalHandler writes each record as an entry of the journal:
//
//	MESSAGE             the record in slog's text format, without time and level
//	MESSAGE_ID          from the table of package messages
//	PRIORITY            the level
//	SYSLOG_IDENTIFIER   genltestd
//	GENLTESTD_NAME      the attribute NAME, also of a group: GENLTESTD_GROUP_NAME
type journalHandler struct {
	text   slog.Handler // writes to journal.line
	out    *journal
	fields []byte // of the attributes of With
	prefix string // of the names of fields
}

func newJournalHandler(out *journal, level slog.Leveler) *journalHandler {
	return &journalHandler{out: out, prefix: fieldPrefix, text: slog.NewTextHandler(&out.line, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
				return slog.Attr{}
			}
			return a
		},
	})}
}

// Enabled implements slog.Handler.
func (h *journalHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.text.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	if err := h.text.Handle(ctx, r); err != nil {
		return err
	}
	priority := priority(r.Level)
	e := entry.AppendField(h.out.entry[:0], "MESSAGE", bytes.TrimSuffix(h.out.line.Bytes(), []byte("\n")))
	if id := messages.ID(r.Message); id != "" {
		e = entry.AppendField(e, "MESSAGE_ID", []byte(id))
	}
	e = entry.AppendField(e, "PRIORITY", []byte(priority))
	e = entry.AppendField(e, "SYSLOG_IDENTIFIER", []byte("genltestd"))
	e = append(e, h.fields...)
	r.Attrs(func(a slog.Attr) bool {
		e = appendAttr(e, h.prefix, a)
		return true
	})
	h.out.entry = e
	return h.out.write(priority)
}

// WithAttrs implements slog.Handler.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.text = h.text.WithAttrs(attrs)
	with.fields = bytes.Clone(h.fields)
	for _, a := range attrs {
		with.fields = appendAttr(with.fields, h.prefix, a)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.text = h.text.WithGroup(name)
	with.prefix += fieldName(name) + "_"
	return &with
}

// appendAttr appends the fields of an attribute. Its value may contain any bytes.
func appendAttr(dst []byte, prefix string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		return entry.AppendField(dst, prefix+fieldName(a.Key), []byte(value.String()))
	}
	if a.Key != "" {
		prefix += fieldName(a.Key) + "_"
	}
	for _, member := range value.Group() {
		dst = appendAttr(dst, prefix, member)
	}
	return dst
}

// fieldName returns a name that journald accepts: it ignores fields with other characters.
func fieldName(key string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		}
		return '_'
	}, key)
}

func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "3"
	case l >= slog.LevelWarn:
		return "4"
	case l >= slog.LevelInfo:
		return "6"
	}
	return "7"
}

// A journal is the connection of all handlers to journald.
type journal struct {
	socket string
	stream io.Writer // for lines that the socket does not accept

	mu    sync.Mutex
	conn  *net.UnixConn // nil if not connected
	line  bytes.Buffer  // the record as text
	entry []byte        // the record as an entry
}

// sendTimeout limits the wait for a journald that does not read.
const sendTimeout = time.Second

// write sends the entry. If journald does not accept it, for example while it restarts, write
// prints the line to the stream, with its priority as in sd-daemon(3). The caller must hold mu.
func (j *journal) write(priority string) error {
	if j.send() == nil {
		return nil
	}
	_, err := j.stream.Write(append([]byte("<"+priority+">"), j.line.Bytes()...))
	return err
}

func (j *journal) send() (err error) {
	if j.conn == nil {
		if j.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.socket, Net: "unixgram"}); err != nil {
			return err
		}
	}
	_ = j.conn.SetWriteDeadline(time.Now().Add(sendTimeout)) // fails only if closed, which Send reports
	if err = entry.Send(j.conn, j.entry); err != nil {
		j.conn.Close()
		j.conn = nil
	}
	return err
}

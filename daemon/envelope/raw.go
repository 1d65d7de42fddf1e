// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

// raw writes exactly the bytes of the text. It writes a gap and suppressed events as a
// sentence, which a text may imitate: receivers that must distinguish them need another
// envelope.
type raw struct{ contentType string }

func newRaw(contentType string) raw {
	return raw{cmp.Or(contentType, "application/octet-stream")}
}

func (raw) Append(dst []byte, e *event.Event) ([]byte, error) { return e.AppendText(dst), nil }

func (r raw) ContentType() string { return r.contentType }

func (raw) BatchContentType() string { return "" }

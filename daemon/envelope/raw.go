// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"cmp"

	"github.com/genltestd/genltestd/daemon/event"
)

// raw writes the text and nothing else, to the byte. A gap and suppressed events
// are a sentence, which a text may imitate: whoever must tell them apart needs
// another envelope.
type raw struct{ contentType string }

func newRaw(contentType string) raw {
	return raw{cmp.Or(contentType, "application/octet-stream")}
}

func (raw) Append(dst []byte, e *event.Event) ([]byte, error) { return e.AppendText(dst), nil }

func (r raw) ContentType() string { return r.contentType }

func (raw) BatchContentType() string { return "" }

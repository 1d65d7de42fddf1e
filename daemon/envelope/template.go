// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"runtime"
	"strings"
	"text/template"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// maxOutput is how long what a template makes of one event, and each text on the
// way there, may be.
const maxOutput = 1 << 20

var errOutput = fmt.Errorf("the template writes more than %d bytes", maxOutput)

// textTemplate writes what a text/template makes of a View. See checkTree for what
// a template cannot do, so that it ends.
type textTemplate struct {
	template    *template.Template
	contentType string
	isJSON      bool
	view        View
	out         limited
}

func newTemplate(text, contentType string) (*textTemplate, error) {
	t, err := template.New("template").Option("missingkey=error").Funcs(functions()).Parse(text)
	if err != nil {
		return nil, place(err)
	}
	if err := checkTree(t); err != nil {
		return nil, place(err)
	}
	contentType = cmp.Or(contentType, "text/plain; charset=utf-8")
	return &textTemplate{template: t, contentType: contentType, isJSON: isJSON(contentType)}, nil
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == jsonType || strings.HasSuffix(mediaType, "+json"))
}

// Append fails when the template does, and when it is to write JSON and does not.
func (t *textTemplate) Append(dst []byte, e *event.Event) ([]byte, error) {
	t.view.e = e
	t.out.Reset()
	err := t.template.Execute(&t.out, &t.view)
	t.view.e = nil
	if err != nil {
		return dst, place(err)
	}
	if t.isJSON {
		return appendCompact(dst, t.out.Bytes())
	}
	return append(dst, t.out.Bytes()...), nil
}

func (t *textTemplate) ContentType() string { return t.contentType }

// BatchContentType is plain JSON: what a suffix like +json says of one event need
// not hold for an array of them.
func (t *textTemplate) BatchContentType() string {
	if t.isJSON {
		return jsonType
	}
	return ""
}

// place has the error begin with where in the template it is: "line 3: ".
func place(err error) error {
	if errors.Is(err, errOutput) {
		return errOutput
	}
	text := strings.TrimPrefix(err.Error(), "template: ")
	text = strings.Replace(text, `executing "template" at `, "", 1)
	var missing runtime.Error // of a method of a Gap that is nil
	if errors.As(err, &missing) {
		text = strings.Replace(text, missing.Error(), "there is none for this event", 1)
	}
	if at, ok := strings.CutPrefix(text, "template:"); ok {
		text = "line " + at
	}
	return errors.New(string(event.AppendVisible(nil, []byte(text))))
}

// limited is a buffer that refuses to grow beyond maxOutput.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		return 0, errOutput
	}
	return l.Buffer.Write(p)
}

// appendCompact appends JSON as one line that no terminal obeys, whether the
// template has used the function json for each text or not.
func appendCompact(dst, text []byte) ([]byte, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return dst, fmt.Errorf("what the template writes is no JSON: %w", err)
	}
	for b := line.Bytes(); len(b) > 0; {
		r, size := utf8.DecodeRune(b)
		switch {
		case event.IsVisible(b[:size]):
			dst = append(dst, b[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default: // within a string: elsewhere it would not be JSON
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		b = b[size:]
	}
	return dst, nil
}

// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
	"text/template"

	"github.com/genltestd/genltestd/daemon/event"
)

var errOutput = fmt.Errorf("the template writes more than %d bytes", maxOutput)

// textTemplate writes the output of a text/template for a View. checkTree rejects
// templates that may not end.
type textTemplate struct {
	text        string
	template    *template.Template
	contentType string
	isJSON      bool
	parts       []part // nil if the template is executed as a whole
	isStatic    bool   // the parts write compact JSON for any event
	view        View
	out         limited
	scratch     []byte
	name        Name // zero unless NewName created the template
	replaced    []byte
	isShared    bool   // the name is the same for all events of one source
	isNamed     bool   // out has the name of the source
	source      source // of the event before
	budget      budget
}

// A Name is a template that writes a name for another program, such as the subject of a
// message.
type Name struct {
	Text string // text/template
	// Replace appends the output of one action, such as {{.Host}}, with the characters
	// replaced that must not be part of a name; nil appends it unchanged. The output can be
	// empty.
	Replace func(dst, value []byte) []byte
	// Accept returns why a whole name is not valid; nil accepts all names.
	Accept func(name []byte) error
}

// NewName returns an encoder that writes the name for an event. The encoder returns an error
// for an event whose name is not accepted. NewName returns a *Fault for an invalid text.
func NewName(n Name) (event.Encoder, error) {
	t, err := newTemplate(n.Text, "")
	if err != nil {
		return nil, err
	}
	t.use(n)
	return t, nil
}

// newTemplate returns a *Fault for an invalid text.
func newTemplate(text, contentType string) (*textTemplate, error) {
	contentType = cmp.Or(contentType, "text/plain; charset=utf-8")
	t := &textTemplate{text: text, contentType: contentType, isJSON: isJSON(contentType)}
	// A label that an older event lacks is empty. Check finds misspelled labels.
	parsed, err := template.New("template").Option("missingkey=zero").Funcs(functions(&t.budget)).Parse(text)
	if err != nil {
		return nil, faultOf(err, text)
	}
	if err := checkTree(parsed); err != nil {
		return nil, faultOf(err, text)
	}
	boundLoops(parsed.Tree)
	t.template = parsed.Funcs(template.FuncMap{iterateName: t.budget.iterate, attributeValueName: attributeValue})
	t.parts = partsOf(t.template)
	expandAttributes(t.template.Tree, text)
	if t.isStatic = t.isJSON && isStatic(t.parts); t.isStatic {
		compactTexts(t.parts)
	}
	return t, nil
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == jsonType || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json"))
}

// Append returns an error if the template fails, or if it must write JSON and does not.
func (t *textTemplate) Append(dst []byte, e *event.Event) ([]byte, error) {
	if t.isRepeated(e) {
		return append(dst, t.out.Bytes()...), nil
	}
	err := t.execute(e)
	if err == nil && t.name.Accept != nil {
		err = t.name.Accept(t.out.Bytes())
	}
	t.isNamed = t.isShared && err == nil
	if err != nil {
		return dst, faultOf(err, t.text)
	}
	if t.isJSON && !t.isStatic {
		return appendCompact(dst, t.out.Bytes())
	}
	return append(dst, t.out.Bytes()...), nil
}

// execute writes the result to t.out.
func (t *textTemplate) execute(e *event.Event) error {
	t.view.e = e
	defer func() { t.view.e = nil }()
	t.out.Reset()
	t.budget.reset()
	if t.parts == nil {
		return t.template.Execute(&t.out, &t.view)
	}
	for i := range t.parts {
		if err := t.write(&t.parts[i], e); err != nil {
			return err
		}
	}
	return nil
}

func (t *textTemplate) write(p *part, e *event.Event) error {
	switch {
	case p.text != nil:
		_, err := t.out.Write(p.text)
		return err
	case p.step == nil:
		return p.template.Execute(&t.out, &t.view)
	}
	t.scratch = p.step(t.scratch[:0], e)
	_, err := t.out.Write(t.replace(t.scratch))
	return err
}

func (t *textTemplate) ContentType() string { return t.contentType }

// BatchContentType returns the type of plain JSON: a suffix such as +json describes one
// event, not an array of events.
func (t *textTemplate) BatchContentType() string {
	if t.isJSON {
		return jsonType
	}
	return ""
}

// limited is a buffer that is limited to maxOutput.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxOutput {
		return 0, errOutput
	}
	return l.Buffer.Write(p)
}

// A jsonError is the position at which a result is not JSON.
type jsonError struct {
	err    error
	offset int    // of the first wrong byte
	after  string // the bytes before the offset
}

func (e *jsonError) Error() string {
	text := "the result is not JSON: " + e.err.Error()
	if e.after != "" {
		text += fmt.Sprintf(" after %q", e.after)
	}
	return text
}

func (e *jsonError) Unwrap() error { return e.err }

// maxAfter is the number of bytes of the result that an error contains: a few bytes of
// the template, and little of an event's text.
const maxAfter = 20

func notJSON(text []byte) error {
	err := json.Unmarshal(text, new(json.RawMessage)) // Compact does not return the offset
	offset := len(text)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && !strings.HasPrefix(syntax.Error(), "unexpected end") {
		offset = min(max(int(syntax.Offset)-1, 0), offset)
	}
	after := bytes.ToValidUTF8(text[max(0, offset-maxAfter):offset], nil)
	return &jsonError{err, offset, string(after)}
}

// appendCompact appends JSON as one line that is safe to print on a terminal, even if
// the template does not use the function json.
func appendCompact(dst, text []byte) ([]byte, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return dst, notJSON(text)
	}
	return event.AppendVisibleJSON(dst, line.Bytes()), nil
}

// replace returns the output of an action as it is part of the result. It is valid until the
// next call.
func (t *textTemplate) replace(value []byte) []byte {
	if t.name.Replace == nil {
		return value
	}
	t.replaced = t.name.Replace(t.replaced[:0], value)
	return t.replaced
}

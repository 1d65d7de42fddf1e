// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"fmt"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
)

// maxFaults is how many faults of one template are reported.
const maxFaults = 5

// Check finds what cannot work in an encoder's template, by writing samples of all that
// a sink may get. Accept judges each result; nil accepts all. The error joins a *Fault
// for each place. An encoder without a template has no fault.
func Check(encoder event.Encoder, c *Context, accept func(result []byte) error) error {
	t, ok := encoder.(*textTemplate)
	if !ok {
		return nil
	}
	p := newProbe(t.text, t.contentType, accept)
	if err := checkNames(p.template.Tree, c); err != nil {
		return faultOf(err, t.text)
	}
	samples := c.samples()
	for i := range samples {
		p.try(&samples[i])
	}
	if len(p.faults) == 0 {
		p.tryUnreached(p.template.Root, samples)
	}
	return errors.Join(p.faults...)
}

// try writes a sample and notes what fails, once for each place.
func (p *probe) try(s *sample) {
	err := p.write(s)
	if err == nil {
		return
	}
	f := p.locate(err)
	key := [2]int{f.Line, f.Column}
	if _, ok := errors.AsType[*jsonError](err); ok {
		key = [2]int{} // what one fault breaks is broken in many ways
	}
	if p.known[key] || len(p.faults) == maxFaults {
		return
	}
	p.known[key] = true
	f.Message = fmt.Sprintf("fails for %s: %s%s", s.name, f.Message, p.remedy(err))
	p.faults = append(p.faults, f)
}

// locate also finds the place in the template of what is not JSON in its result.
func (p *probe) locate(err error) *Fault {
	f := faultOf(err, p.text)
	var invalid *jsonError
	if errors.As(err, &invalid) {
		f.Line, f.Column = placeOf(p.text, p.source(invalid.offset))
	}
	return f
}

// remedy says what to write instead, where that is known.
func (p *probe) remedy(err error) string {
	var invalid *jsonError
	text := err.Error()
	for _, r := range []struct {
		applies bool
		remedy  string
	}{
		{errors.As(err, &invalid), "write texts as {{json .Text}}, without quotes around it"},
		{strings.Contains(text, "error calling json: wrong number of args") || strings.Contains(text, "wrong number of args for json"), "give it a value, such as {{json .Text}}"},
		{strings.Contains(text, "<.Gap.") || strings.Contains(text, "<$.Gap."), "write {{with .Gap}}{{.Count}}{{end}}"},
		{strings.Contains(text, "<.Suppressed.") || strings.Contains(text, "<$.Suppressed."), "write {{with .Suppressed}}{{.Count}}{{end}}"},
		{errors.Is(err, errNoTime), "write {{with .KernelTime}}{{unix .}}{{end}}"},
		{strings.Contains(text, "error calling slice"), `cut a text by {{printf "%.100s" .Text}}, however short it is`},
		{strings.Contains(text, "map has no entry"), "no label or capture has this name"},
	} {
		if r.applies {
			return "; " + r.remedy
		}
	}
	return ""
}

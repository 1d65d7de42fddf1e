// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/event"
)

// maxFaults is the maximum number of reported faults of one template.
const maxFaults = 5

// Check finds faults in an encoder's template by encoding samples of all events that a sink may
// receive. The function accept checks each result; nil accepts all, or those that the Name
// accepts. The error joins one *Fault per position. An encoder without a template is not checked.
func Check(encoder event.Encoder, c *Context, accept func(result []byte) error) error {
	t, ok := encoder.(*textTemplate)
	if !ok {
		return nil
	}
	p := newProbe(t, accept)
	if err := checkNames(p.template.Tree, c); err != nil {
		return faultOf(err, t.text)
	}
	samples := append(c.samples(), c.withAttributes(attributePaths(p.template.Tree))...)
	for i := range samples {
		p.try(&samples[i])
	}
	if len(p.faults) == 0 {
		p.tryUnreached(p.template.Root, samples)
	}
	return errors.Join(p.faults...)
}

// try encodes a sample and records its fault, once per position.
func (p *probe) try(s *sample) {
	err := p.write(s)
	if err == nil {
		p.passed = p.passed || s.isOrdinary()
		return
	}
	f := p.explained(err)
	key := [2]int{f.Line, f.Column}
	if _, ok := errors.AsType[*jsonError](err); ok {
		key = [2]int{} // one fault breaks the JSON at many positions
	}
	if p.known[key] || len(p.faults) == maxFaults {
		return
	}
	p.known[key] = true
	f.Message = fmt.Sprintf("fails for %s: %s", s.name, f.Message)
	p.faults = append(p.faults, f)
}

// explained returns the fault of an error, with its remedy if that is known.
func (p *probe) explained(err error) *Fault {
	f := faultOf(err, p.text)
	if invalid, ok := errors.AsType[*jsonError](err); ok {
		p.explainJSON(f, invalid)
		return f
	}
	contains := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(err.Error(), part) })
	}
	for _, r := range []struct {
		applies bool
		remedy  string
	}{
		{contains("error calling json: wrong number of args", "wrong number of args for json"), "pass a value, such as {{json .Text}}"},
		{contains("<.Gap.", "<$.Gap.", "<(.Gap)."), "write {{with .Gap}}{{.Count}}{{end}}"},
		{contains("<.Suppressed.", "<$.Suppressed.", "<(.Suppressed)."), "write {{with .Suppressed}}{{.Count}}{{end}}"},
		{contains("nil pointer dereference"), "write {{with .Gap}}{{.Count}}{{end}}"},
		{errors.Is(err, errNoTime), "write {{with .KernelTime}}{{unix .}}{{end}}"},
		{contains("map has no entry"), "no label or capture has this name"},
		{contains("the text to replace is empty"), `write {{.Text | replace "OLD" "NEW"}}`},
		{errors.Is(err, errText), `shorten the text by {{printf "%.1000s" .Text}}, or write smaller numbers`},
	} {
		if r.applies {
			f.Message += "; " + r.remedy
			break
		}
	}
	return f
}

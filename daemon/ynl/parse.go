// SPDX-License-Identifier: Apache-2.0

package ynl

import "github.com/genltestd/genltestd/config/strict"

// Parse reads a specification. Name is the file's name for errors. An error is of type
// strict.Errors: all faults, at most 100, with their lines and columns.
func Parse(name string, text []byte) (*Spec, error) {
	return parse(strict.NewReport(name, &strict.Costs{}, nil), text)
}

// ParseInstalled is Parse for a specification that a distribution installs. It can be
// newer than this program, so a key that is not known is a warning.
func ParseInstalled(name string, text []byte) (*Spec, error) {
	r := strict.NewReport(name, &strict.Costs{}, nil)
	r.Tolerate()
	return parse(r, text)
}

func parse(r *strict.Report, text []byte) (*Spec, error) {
	var f file
	strict.SetDefaults(&f)
	r.Decode(text, &f, "")
	r.Check(&f)
	c := newCompiler(r, &f)
	if strict.Err(r) == nil {
		c.compile()
	}
	if err := strict.Err(r); err != nil {
		return nil, err
	}
	c.spec.Warnings = r.Warnings
	return c.spec, nil
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/sink"
)

// LoadWithoutSinks is Load for a program that does not contain the kinds of sinks. It ignores the
// key sinks and the drop-ins, and leaves Sinks empty. With optional, the file may be missing.
func LoadWithoutSinks(path string, optional bool) (*Config, error) {
	in := readInputs(path)[0]
	absent := optional && errors.Is(in.err, fs.ErrNotExist) && isAbsent(path)
	if absent {
		in.err = nil
	}
	if in.err != nil {
		return nil, fmt.Errorf("%s: %w", path, in.err)
	}
	c := decode([]input{in}, []sink.Kind{{Name: "none", New: func() sink.Config { return &noSink{} }}})
	c.files[0].absent = absent
	c.Sinks = nil
	var faults Errors
	if !errors.As(c.files.err(), &faults) {
		return c, nil
	}
	faults = slices.DeleteFunc(faults, func(f *FieldError) bool {
		rest, ok := strings.CutPrefix(f.Path, dropInKey)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], ".["))
	})
	if len(faults) == 0 {
		return c, nil
	}
	return c, faults
}

// noSink is the configuration of a kind that no file contains.
type noSink struct{}

// New implements sink.Config.
func (*noSink) New(sink.Env) (sink.Sink, error) { return nil, errors.ErrUnsupported }

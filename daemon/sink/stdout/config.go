// SPDX-License-Identifier: Apache-2.0

package stdout

import (
	_ "embed" // for the reference

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that writes to standard output.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "stdout", Summary: "writes lines to the daemon's standard output",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "console terminal stderr print standard_output std_out"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key stdout, an empty mapping.
type Config struct{}

var (
	_ sink.Config       = (*Config)(nil)
	_ sink.SingleWorker = (*Config)(nil)
)

// WhyOneWorker implements sink.SingleWorker.
func (c *Config) WhyOneWorker() string {
	return "lines of several writers would mix on standard output"
}

// New implements sink.Config.
func (c *Config) New(env sink.Env) (sink.Sink, error) { return New(env.Stdout, env.Encoder), nil }

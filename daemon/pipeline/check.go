// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
)

// A Checked is a configuration with its compiled rules and envelopes. Open or Plan uses it once.
type Checked struct {
	Config  *config.Config
	Invalid config.Errors   // rules and envelopes that do not compile; empty if a Set may use the configuration
	Failing config.Errors   // of sinks that can be opened, but whose attempts fail: a file may be missing
	Specs   *families.Specs // that decode events
	sinks   []compiled      // in the order of the configuration
}

// A compiled is a sink with its rules and its envelope.
type compiled struct {
	cfg     *config.Sink
	rules   *match.Rules
	encoder event.Encoder // of the first worker
}

// encoderOf returns the encoder of a worker, counted from 0. Workers cannot share an encoder.
func (s *compiled) encoderOf(worker int) event.Encoder {
	if worker == 0 {
		return s.encoder
	}
	encoder, _ := NewEncoder(s.cfg) // it has compiled before
	return encoder
}

// Check compiles the rules and the envelopes of all sinks, and makes each sink check what it
// needs on this machine. It opens nothing and does not use the network. specs are the
// specifications of the families.
func Check(cfg *config.Config, specs *families.Specs) *Checked {
	c := &Checked{Config: cfg, Specs: specs}
	compiler := NewCompiler(cfg, specs)
	for i := range cfg.Sinks {
		s, err := compile(cfg, i, compiler)
		c.sinks = append(c.sinks, s)
		c.Invalid = append(c.Invalid, Faults(cfg, i, err)...)
		failing := errors.Join(s.encodeSamples(cfg, i, compiler), s.tryTemplates(cfg, i, compiler), s.verify())
		c.Failing = append(c.Failing, Faults(cfg, i, failing)...)
	}
	return c
}

// compile compiles the rules and the envelope of a sink. It skips the rules if the text of
// extract has a fault, because they contain the names of its groups.
func compile(cfg *config.Config, i int, compiler *match.Compiler) (s compiled, err error) {
	s.cfg = &cfg.Sinks[i]
	var wrong error
	if !hasFault(cfg, extractKey(i)) {
		s.rules, err = NewRules(s.cfg, compiler)
	}
	s.encoder, wrong = NewEncoder(s.cfg)
	return s, errors.Join(err, wrong, compileTemplates(s.cfg))
}

func extractKey(i int) string { return fmt.Sprintf("sinks[%d].extract", i) }

// hasFault reports whether the text of a key has a fault.
func hasFault(cfg *config.Config, key string) bool { return cfg.HasFault(cfg.Fault(key, "")) }

// verify returns the faults of the entry that depend on the machine, as sink.OptionErrors.
func (s *compiled) verify() error {
	verifier, ok := s.cfg.Config.(sink.Verifier)
	if !ok {
		return nil
	}
	encoder := s.encoder
	if encoder == nil {
		encoder = event.JSON{} // the envelope's fault is already reported
	}
	return verifier.Verify(encoder)
}

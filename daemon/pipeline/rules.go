// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
)

// NewCompiler returns the compiler of the rules of all sinks of a configuration, whose
// families have these specifications.
func NewCompiler(cfg *config.Config, specs *families.Specs) *match.Compiler {
	return match.NewCompiler(vocabularyOf(cfg, specs))
}

// NewRules compiles the rules of a sink. The errors are joined sink.OptionErrors.
func NewRules(c *config.Sink, compiler *match.Compiler) (*match.Rules, error) {
	rules, err := compiler.Compile(RuleOptions(c))
	var faults []error
	for _, err := range leaves(err) {
		var fault *match.Error
		if errors.As(err, &fault) {
			err = optionError(fault)
		}
		faults = append(faults, err)
	}
	return rules, errors.Join(faults...)
}

// optionError adds the position of an error within the expression.
func optionError(fault *match.Error) error {
	var placed *match.PositionError
	if errors.As(fault.Err, &placed) {
		return &sink.OptionError{Key: fault.Key, Err: errors.New(placed.Text), Line: placed.Line, Column: placed.Column}
	}
	return &sink.OptionError{Key: fault.Key, Err: fault.Err}
}

// RuleOptions returns the rules of a sink.
func RuleOptions(c *config.Sink) match.Options {
	return match.Options{
		Filter: c.Filter, Extract: c.Extract, Sample: c.Sample,
		RateLimit: match.RateLimit{Events: c.RateLimit.Events, Per: time.Duration(c.RateLimit.Per), Burst: c.RateLimit.Burst},
		Dedup:     match.Dedup{Window: time.Duration(c.Dedup.Window), Key: c.Dedup.Key},
	}
}

// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/ruletest"
)

// TestRules runs tests of the rules of a configuration; see ruletest.Run.
func TestRules(cfg *config.Config, tests *config.RuleTests) ([]ruletest.Differences, error) {
	compiler := newCompiler(cfg)
	return ruletest.Run(cfg, tests, func(i int) (*match.Rules, error) {
		rules, err := newRules(&cfg.Sinks[i], compiler)
		if err != nil {
			return nil, sinkFaults(cfg, i, err)
		}
		return rules, nil
	})
}

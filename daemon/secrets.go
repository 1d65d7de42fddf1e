// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os/user"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/secret"
)

// Warnings returns the parts of the configuration that work but should be changed, with
// their positions. They include secret files that every user of the machine can read, and
// likely mistakes in the specifications of families.
func Warnings(cfg *config.Config) config.Errors {
	specs, _ := families.LoadSpecs(cfg) // Check returns the faults
	return warnings(&pipeline.Checked{Config: cfg, Specs: specs})
}

// warnings is Warnings for a configuration whose specifications are already read.
func warnings(checked *pipeline.Checked) config.Errors {
	cfg := checked.Config
	all := append(cfg.Warnings(), checked.Specs.Warnings...)
	warn := func(path, file string) {
		if secret.Exposed(file) {
			all = append(all, cfg.Fault(path, "this file is secret, and all users can read it; remove the permission with chmod o-r"))
		}
	}
	// The default group is missing where the daemon is not installed, and was not asked for.
	if group := cfg.Control.OperatorGroup; group != "" && group != config.DefaultOperatorGroup {
		if _, err := user.LookupGroup(group); err != nil {
			all = append(all, cfg.Fault("control.operator_group", "the group %s does not exist, so only root may change the state of the daemon; "+
				"create it with: groupadd --system %[1]s", group))
		}
	}
	cfg.EachSecret(func(path string, s value.Secret) { warn(path+".file", s.File) })
	cfg.EachTLS(func(path string, t *value.TLS) { warn(path+".key", t.Key.File) })
	all.Sort()
	return all
}

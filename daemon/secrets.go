// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/secret"
)

// Warnings names what works and should not stay, with its place in the configuration:
// secrets that everybody on the machine may read.
func Warnings(cfg *config.Config) config.Errors {
	all := cfg.Warnings()
	warn := func(path string, file string) {
		if secret.File(file).Exposed() {
			all = append(all, cfg.Fault(path, "everybody may read this file, which is secret; take the right from others (chmod o-r)"))
		}
	}
	cfg.EachSecret(func(path string, s config.Secret) { warn(path+".file", s.File) })
	for i := range cfg.Sinks {
		if tls := cfg.Sinks[i].TLS(); tls != nil {
			warn(fmt.Sprintf("sinks[%d].%s.tls.key", i, cfg.Sinks[i].Kind()), tls.Key.File)
		}
	}
	all.Sort()
	return all
}

// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/config/value"
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
	cfg.EachSecret(func(path string, s value.Secret) { warn(path+".file", s.File) })
	cfg.EachTLS(func(path string, t *value.TLS) { warn(path+".key", t.Key.File) })
	all.Sort()
	return all
}

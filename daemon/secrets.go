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
		path := fmt.Sprintf("sinks[%d].%s.tls.key", i, cfg.Sinks[i].Kind())
		warn(path, tlsKey(&cfg.Sinks[i]))
	}
	all.Sort()
	return all
}

func tlsKey(c *config.Sink) string {
	switch {
	case c.Webhook != nil:
		return c.Webhook.TLS.Key
	case c.Socket != nil:
		return c.Socket.TLS.Key
	case c.Syslog != nil:
		return c.Syslog.TLS.Key
	}
	return ""
}

// Doubts names the secrets that this process cannot read, though the service may be
// able to: outside of the service that is no fault.
func Doubts(cfg *config.Config) (all config.Errors) {
	cfg.EachSecret(func(path string, s config.Secret) {
		if err := secretSource(s).Doubt(); err != nil {
			all = append(all, cfg.Fault(path, "%v", err))
		}
	})
	return all
}

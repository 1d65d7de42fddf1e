// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/cmd/internal/commandline"
)

// options are those of the root command.
type options struct {
	config string   // "" for the default
	as     string   // the user whose rights check-config has; "" for the service's
	tests  []string // files of tests; one at most

	check, print, printDefault, version bool
}

// root returns the options of the root command.
func (o *options) root() []commandline.Option {
	return []commandline.Option{
		o.configFile(),
		commandline.Switch(&o.check, "check-config", "",
			"check the files, name them and exit: 0 if they are good, else 78; for root with the rights of the user "+serviceUser),
		commandline.Text(&o.as, "as", "USER", "with --check-config, for root: check with the rights of another USER"),
		commandline.Switch(&o.print, "print-config", "", "print the configuration with all its defaults, secrets masked, and exit"),
		commandline.Switch(&o.printDefault, "print-default-config", "", "print the default configuration, each key explained, and exit"),
		{
			Name: "test-rules", Value: "FILE", Set: func(file string) error { o.tests = append(o.tests, file); return nil },
			Help: "run the tests in FILE on the rules of the configured sinks, such as filters, and exit: 0 if all pass, else 1",
		},
		commandline.Switch(&o.version, "version", "v", "print the version and exit"),
	}
}

// configFile returns the option that names the configuration.
func (o *options) configFile() commandline.Option {
	return commandline.Text(&o.config, "config", "FILE", "read the configuration from FILE NAME.yaml and its drop-ins NAME.d/*.yaml "+
		"(default "+defaultConfig+", which need not exist)")
}

// action returns the option that replaces the daemon by another action, "" for the daemon.
func (o *options) action() (string, error) {
	var actions []string
	for _, a := range []struct {
		name  string
		asked bool
	}{
		{"check-config", o.check},
		{"print-config", o.print},
		{"print-default-config", o.printDefault},
		{"test-rules", len(o.tests) > 0},
		{"version", o.version},
	} {
		if a.asked {
			actions = append(actions, a.name)
		}
	}
	switch {
	case len(actions) > 1:
		return "", fmt.Errorf("specify only one of --%s and --%s", actions[0], actions[1])
	case len(o.tests) > 1:
		return "", errors.New("specify --test-rules only once")
	case o.as != "" && !o.check:
		return "", errors.New("--as requires --check-config")
	case len(actions) == 0:
		return "", nil
	}
	return actions[0], nil
}

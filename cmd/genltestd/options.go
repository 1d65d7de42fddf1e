// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// options are those of the command line.
type options struct {
	config string // "" for the default
	action string // the option that asks for something else than the daemon; "" is the daemon
	tests  string // of test-rules
	as     string // the user whose rights check-config has; "" for the service's
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	var actions []string
	flags := flag.NewFlagSet("genltestd", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what it says is printed by run, once
	flags.StringVar(&o.config, "config", "", "")
	flags.StringVar(&o.as, "as", "", "")
	for flag, action := range map[string]string{
		"check-config": "check-config", "print-config": "print-config", "print-default-config": "print-default-config",
		"version": "version", "v": "version",
	} {
		flags.BoolFunc(flag, "", func(value string) error {
			on, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("write true or false")
			}
			if on && !slices.Contains(actions, action) {
				actions = append(actions, action)
			}
			return nil
		})
	}
	flags.Func("test-rules", "", func(file string) error {
		o.tests, actions = file, append(actions, "test-rules")
		return nil
	})
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return &options{action: "help"}, nil
	case err != nil:
		return nil, err
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case len(actions) > 1:
		return nil, fmt.Errorf("--%s and --%s cannot be had at once", actions[0], actions[1])
	case len(actions) == 1:
		o.action = actions[0]
	}
	if o.as != "" && o.action != "check-config" {
		return nil, errors.New("--as is for --check-config only")
	}
	return o, nil
}

// SPDX-License-Identifier: Apache-2.0

// Package commandline parses the command line of the daemon. genltestctl uses a library, which
// also completes words, and would add 2 % to the size of the daemon.
package commandline

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Command has options, and either commands below it or arguments.
type Command struct {
	Name      string
	Arguments string // in the help, such as [DIR]
	Short     string // in the list of commands
	Long      string
	Options   []Option
	Commands  []*Command
	Run       func(arguments []string) error
}

// An Option is an option of a command.
type Option struct {
	Name   string
	Letter string // short form; empty if the option does not have one
	Value  string // name of the value in the help; empty for a switch, whose value is optional
	Help   string
	Set    func(value string) error
}

// Switch returns an option that sets a bool.
func Switch(to *bool, name, letter, help string) Option {
	return Option{Name: name, Letter: letter, Help: help, Set: func(value string) (err error) {
		*to, err = strconv.ParseBool(value)
		return err
	}}
}

// Text returns an option that sets a string.
func Text(to *string, name, value, help string) Option {
	return Option{Name: name, Value: value, Help: help, Set: func(value string) error { *to = value; return nil }}
}

// A Call is the meaning of a command line.
type Call struct {
	*Command
	Path      string // names of the command and of those above
	Arguments []string
	Help      bool // print the help
}

// Parse parses the arguments of a process, and sets the options that they contain. Options can
// be before and after the names of commands and the arguments, up to the argument --. With an
// error, the call has only the command.
func Parse(root *Command, args []string) (*Call, error) {
	c := &Call{Command: root, Path: root.Name}
	var all []setting
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			c.Arguments = append(c.Arguments, args[i+1:]...)
			i = len(args)
		case strings.HasPrefix(arg, "--"):
			s := longSetting(arg)
			if o := root.option(s.is); !s.hasValue && o != nil && o.Value != "" && i+1 < len(args) {
				i++
				s.value, s.hasValue = args[i], true
			}
			all = append(all, s)
		case len(arg) > 1 && arg[0] == '-':
			all = append(all, shortSettings(arg)...)
		default:
			c.add(arg)
		}
	}
	for _, s := range all {
		if err := c.set(s); err != nil {
			return c, err
		}
	}
	return c, nil
}

// add adds the name of a command, or an argument.
func (c *Call) add(arg string) {
	i := slices.IndexFunc(c.Commands, func(below *Command) bool { return below.Name == arg })
	if i < 0 || len(c.Arguments) > 0 {
		c.Arguments = append(c.Arguments, arg)
		return
	}
	c.Command = c.Commands[i]
	c.Path += " " + arg
}

// A setting is an option in the arguments.
type setting struct {
	is       func(*Option) bool
	unknown  string // error if the command does not have the option
	value    string
	hasValue bool
}

func longSetting(arg string) setting {
	name, value, ok := strings.Cut(arg[2:], "=")
	unknown := "unknown flag: --" + name
	if name == "" || name[0] == '-' {
		unknown = "bad flag syntax: " + arg
	}
	return setting{func(o *Option) bool { return o.Name == name }, unknown, value, ok}
}

// shortSettings returns the options in an argument such as -vh.
func shortSettings(arg string) (all []setting) {
	letters, value, ok := strings.Cut(arg[1:], "=")
	for i, letter := range letters {
		unknown := fmt.Sprintf("unknown shorthand flag: %q in -%s", letter, arg[1+i:])
		all = append(all, setting{is: func(o *Option) bool { return o.Letter == string(letter) }, unknown: unknown})
	}
	if n := len(all); n > 0 {
		all[n-1].value, all[n-1].hasValue = value, ok
	}
	return all
}

// set sets an option of the command.
func (c *Call) set(s setting) error {
	options := append(slices.Clone(c.Options), c.help())
	i := slices.IndexFunc(options, func(o Option) bool { return s.is(&o) })
	switch {
	case i < 0:
		return errors.New(s.unknown)
	case !s.hasValue && options[i].Value != "":
		return fmt.Errorf("flag needs an argument: --%s", options[i].Name)
	case !s.hasValue:
		s.value = "true"
	}
	if err := options[i].Set(s.value); err != nil {
		return fmt.Errorf("invalid argument %q for %q flag: %w", s.value, options[i].shown(), err)
	}
	return nil
}

// option returns an option of the command or of one below it, or nil.
func (c *Command) option(is func(*Option) bool) *Option {
	for i := range c.Options {
		if is(&c.Options[i]) {
			return &c.Options[i]
		}
	}
	for _, below := range c.Commands {
		if o := below.option(is); o != nil {
			return o
		}
	}
	return nil
}

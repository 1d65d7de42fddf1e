// SPDX-License-Identifier: Apache-2.0

package commandline

import (
	"fmt"
	"io"
	"strings"
)

// help returns the option that each command has.
func (c *Call) help() Option { return Switch(&c.Help, "help", "h", "help for "+c.Name) }

// shown returns the forms of the option.
func (o *Option) shown() string {
	if o.Letter == "" {
		return "--" + o.Name
	}
	return "-" + o.Letter + ", --" + o.Name
}

// PrintHelp prints the description of the command, its commands and its options.
func (c *Call) PrintHelp(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", c.Long, strings.Join(nonEmpty(c.Path, c.Command.Arguments, "[flags]"), " "))
	if len(c.Commands) > 0 {
		fmt.Fprintf(w, "  %s [command]\n\nAvailable Commands:\n", c.Path)
	}
	for _, below := range c.Commands {
		fmt.Fprintf(w, "  %-11s %s\n", below.Name, below.Short)
	}
	fmt.Fprintf(w, "\nFlags:\n%s", c.Usages())
	if len(c.Commands) > 0 {
		fmt.Fprintf(w, "\nUse %q for more information about a command.\n", c.Path+" [command] --help")
	}
}

// Usages returns a line for each option of the command.
func (c *Call) Usages() string {
	var b strings.Builder
	options := append(c.Options[:len(c.Options):len(c.Options)], c.help())
	width := 0
	for _, o := range options {
		width = max(width, len(o.usage()))
	}
	for _, o := range options {
		fmt.Fprintf(&b, "%-*s   %s\n", width, o.usage(), o.Help)
	}
	return b.String()
}

func (o *Option) usage() string {
	shown := o.shown()
	if o.Letter == "" {
		shown = "    " + shown
	}
	return strings.Join(nonEmpty("  "+shown, o.Value), " ")
}

func nonEmpty(texts ...string) (all []string) {
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// SPDX-License-Identifier: Apache-2.0

package commandline

import (
	"fmt"
	"strings"
	"testing"
)

// A tree records the options of its commands.
type tree struct {
	file    string
	check   bool
	version bool
}

func (v *tree) command() *Command {
	file := Text(&v.file, "file", "FILE", "read FILE")
	return &Command{
		Name: "program", Long: "Run.",
		Options: []Option{file, Switch(&v.check, "check", "", "check only"), Switch(&v.version, "version", "v", "print the version")},
		Commands: []*Command{{
			Name: "group", Short: "Look", Long: "Look at it.",
			Commands: []*Command{{Name: "leaf", Arguments: "[DIR]", Short: "Show", Long: "Show it.", Options: []Option{file}}},
		}},
	}
}

func TestParse(t *testing.T) {
	const invalid = `strconv.ParseBool: parsing "maybe": invalid syntax`
	for args, want := range map[string]string{
		"":                          "program [] { false false} false",
		"--file x --check":          "program [] {x true false} false",
		"--file=x --check=0":        "program [] {x false false} false",
		"--file= a":                 "program [a] { false false} false",
		"--file --check":            "program [] {--check false false} false",
		"-v":                        "program [] { false true} false",
		"-vh":                       "program [] { false true} true",
		"-v=false -h":               "program [] { false false} true",
		"--help=false":              "program [] { false false} false",
		"--check a --file x b":      "program [a b] {x true false} false",
		"-- --check":                "program [--check] { false false} false",
		"-":                         "program [-] { false false} false",
		"group":                     "program group [] { false false} false",
		"group leaf":                "program group leaf [] { false false} false",
		"group other":               "program group [other] { false false} false",
		"group other leaf":          "program group [other leaf] { false false} false",
		"leaf":                      "program [leaf] { false false} false",
		"--file x group leaf d":     "program group leaf [d] {x false false} false",
		"group --file x leaf d":     "program group leaf [d] {x false false} false",
		"group leaf d --file x":     "program group leaf [d] {x false false} false",
		"-- group":                  "program [group] { false false} false",
		"--nonsense":                "program: unknown flag: --nonsense",
		"--nonsense=x group":        "program group: unknown flag: --nonsense",
		"--check group leaf":        "program group leaf: unknown flag: --check",
		"group leaf -v":             "program group leaf: unknown shorthand flag: 'v' in -v",
		"-vx":                       "program: unknown shorthand flag: 'x' in -x",
		"-vxy=1":                    "program: unknown shorthand flag: 'x' in -xy=1",
		"---":                       "program: bad flag syntax: ---",
		"--=x":                      "program: bad flag syntax: --=x",
		"--file":                    "program: flag needs an argument: --file",
		"--check=maybe":             `program: invalid argument "maybe" for "--check" flag: ` + invalid,
		"-v=maybe":                  `program: invalid argument "maybe" for "-v, --version" flag: ` + invalid,
		"--help --nonsense":         "program: unknown flag: --nonsense",
		"--file x group":            "program group: unknown flag: --file",
		"group leaf --help --file=": "program group leaf [] { false false} true",
	} {
		var v tree
		call, err := Parse(v.command(), strings.Fields(args))
		got := fmt.Sprintf("%s %v %v %v", call.Path, call.Arguments, v, call.Help)
		if err != nil {
			got = call.Path + ": " + err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", args, got, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for args, want := range map[string]string{
		"": `Run.

Usage:
  program [flags]
  program [command]

Available Commands:
  group       Look

Flags:
      --file FILE   read FILE
      --check       check only
  -v, --version     print the version
  -h, --help        help for program

Use "program [command] --help" for more information about a command.
`,
		"group leaf": `Show it.

Usage:
  program group leaf [DIR] [flags]

Flags:
      --file FILE   read FILE
  -h, --help        help for leaf
`,
	} {
		call, err := Parse(new(tree).command(), strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if call.PrintHelp(&got); got.String() != want {
			t.Errorf("%q: got\n%s\nwant\n%s", args, got.String(), want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"--file x --check", "-vh=1 group", "-- x", "group leaf --file=", "- -\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var v tree
		call, err := Parse(v.command(), strings.Split(line, " "))
		if err == nil && len(call.Arguments) > strings.Count(line, " ")+1 {
			t.Errorf("%q has %d arguments", line, len(call.Arguments))
		}
		if err != nil && !strings.HasPrefix(call.Path, "program") {
			t.Errorf("%q: the error of %q", line, call.Path)
		}
	})
}

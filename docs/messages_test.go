// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var (
	// placeholder is a part of a message in the documentation that differs each time.
	placeholder = regexp.MustCompile(`\.\.\.|\b([A-Z]{2,}|[NM])\b`)
	letter      = regexp.MustCompile(`[a-z]`)
	// errorTable matches the rows of a table of errors.
	errorTable = regexp.MustCompile(`(?m)^\| error \|.*\n\| --- .*\n((?:\|.*\n)+)`)
)

// commands are the first words of code spans that are commands.
var commands = []string{
	"chmod", "chown", "genltestctl", "genltestd", "install", "journalctl", "modprobe", "ncat", "setfacl", "socat", "systemctl", "ulimit",
}

// messages returns the log messages and error texts that a page quotes: the code spans of
// several words that are neither commands nor YAML.
func messages(page string) (all []string) {
	for _, span := range codeSpan.FindAllString(page, -1) {
		text := strings.Trim(span, "`")
		first, _, several := strings.Cut(text, " ")
		if several && !strings.ContainsAny(text[:1], `-{$"/`) && !slices.Contains(commands, first) {
			all = append(all, text)
		}
	}
	return all
}

// tableOfErrors returns the code spans in the first column of the tables of errors of a page,
// without attributes of the log.
func tableOfErrors(page string) (all []string) {
	for _, table := range errorTable.FindAllStringSubmatch(page, -1) {
		for row := range strings.Lines(table[1]) {
			for _, span := range codeSpan.FindAllString(strings.Split(row, "|")[1], -1) {
				if !strings.Contains(span, "=") {
					all = append(all, strings.Trim(span, "`"))
				}
			}
		}
	}
	return all
}

// diagnostics returns the messages in the list of diagnostics of a manual page.
func diagnostics(page string) (all []string) {
	_, list, _ := strings.Cut(page, "\n.Bl -diag\n")
	list, _, _ = strings.Cut(list, "\n.El\n")
	for line := range strings.Lines(list) {
		if item, ok := strings.CutPrefix(strings.TrimSpace(line), ".It "); ok {
			all = append(all, strings.Split(item, ", ")...)
		}
	}
	return all
}

// literals returns the parts of a message between its placeholders and colons. A colon
// separates the texts of wrapped errors.
func literals(message string) (all []string) {
	for _, text := range placeholder.Split(message, -1) {
		for part := range strings.SplitSeq(text, ": ") {
			if part = strings.Trim(part, ": "); letter.MatchString(part) {
				all = append(all, part)
			}
		}
	}
	return all
}

// programTexts returns the string literals of the Go code without its tests, and the texts of
// errors of the system and of Go's library.
func programTexts(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "build" || name == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			all = append(all, stringsOf(file)...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for number := syscall.Errno(1); number < 134; number++ {
		all = append(all, number.Error())
	}
	return append(all, context.DeadlineExceeded.Error(), syscall.SIGKILL.String(), "exit status") // of os.ProcessState
}

// stringsOf returns the string literals below a node. Literals that are added are one.
func stringsOf(node ast.Node) (all []string) {
	ast.Inspect(node, func(n ast.Node) bool {
		expr, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, ok := constant(expr)
		if ok {
			all = append(all, text)
		}
		return !ok
	})
	return all
}

// constant returns the value of a literal, or of a sum of literals.
func constant(expr ast.Expr) (string, bool) {
	switch e := expr.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, e.Kind == token.STRING && err == nil
	case *ast.BinaryExpr:
		left, okLeft := constant(e.X)
		right, okRight := constant(e.Y)
		return left + right, e.Op == token.ADD && okLeft && okRight
	}
	return "", false
}

func contains(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) })
}

// A user searches the documentation for a message, so a message that is reworded must be
// reworded there too.
func TestQuotedMessagesAreThoseOfTheProgram(t *testing.T) {
	texts, count := programTexts(t), 0
	for pattern, quoted := range map[string]func(page string) []string{
		"troubleshooting*.md": messages, "health.md": messages, "secrets*.md": messages, "sinks/*.md": tableOfErrors,
		"../packaging/man/genltestd.8.in": diagnostics,
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, page := range found {
			for _, message := range quoted(read(t, page)) {
				count++
				for _, part := range literals(message) {
					if !contains(texts, part) {
						t.Errorf("%s quotes %q, but no string of the program contains %q", page, message, part)
					}
				}
			}
		}
	}
	if count < 42 {
		t.Errorf("found only %d messages", count)
	}
}

func TestTableOfErrors(t *testing.T) {
	got := tableOfErrors("| key | meaning |\n| --- | --- |\n| `a b` | x |\n\n" +
		"| error | remedy |\n| --- | --- |\n| `one: N`, `two` | `three` |\n| `four`, `a=b` | |\n\n| `five` |\n")
	if want := []string{"one: N", "two", "four"}; !slices.Equal(got, want) {
		t.Errorf("errors are %q, want %q", got, want)
	}
}

func TestMessagesOfAPage(t *testing.T) {
	page := "Run `systemctl status x` with `url: x`, `{file: /PATH}` or `a_key`.\n" +
		"| `sink NAME: REASON: EVENTS events wait: TEXT` | `...: permission denied` |"
	got := messages(page)
	if want := []string{"url: x", "sink NAME: REASON: EVENTS events wait: TEXT", "...: permission denied"}; !slices.Equal(got, want) {
		t.Errorf("messages are %q, want %q", got, want)
	}
	if got, want := literals(got[1]), []string{"sink", "events wait"}; !slices.Equal(got, want) {
		t.Errorf("literals are %q, want %q", got, want)
	}
}

func TestStringsOfAProgram(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nvar a = f(\"one \" + `two`, \"three \" + b)\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	got := stringsOf(file)
	if want := []string{"one two", "three "}; !slices.Equal(got, want) {
		t.Errorf("strings are %q, want %q", got, want)
	}
	if contains(got, "two one") || !contains(got, "wo") {
		t.Errorf("contains does not search in %q", got)
	}
}

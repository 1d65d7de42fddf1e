// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	table "github.com/genltestd/genltestd/daemon/messages"
)

// logMethods are the methods that log, with the indices of the arguments that are messages.
var logMethods = map[string][]int{"Info": {0}, "Warn": {0}, "Error": {0}, "Resolved": {0, 1}}

// faultMethods are the methods of package delivery whose second of three arguments is a message.
var faultMethods = []string{"set", "setLocked", "postpone"}

// passOn are the files whose messages are arguments of their functions.
var passOn = []string{"daemon/delivery/health.go", "daemon/delivery/sender.go", "daemon/ratelog/ratelog.go"}

// A source is a package without its tests.
type source struct {
	files  map[string]*ast.File // by path relative to the root
	consts map[string][]string  // the values of its constants with that name
}

// sources returns the packages below a folder of the tree.
func sources(t *testing.T, folder string) (all []*source) {
	t.Helper()
	packages := map[string]*source{}
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "sinktest"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		p := packages[filepath.Dir(path)]
		if p == nil {
			p = &source{files: map[string]*ast.File{}, consts: map[string][]string{}}
			packages[filepath.Dir(path)] = p
		}
		name, err := filepath.Rel(root, path)
		p.files[name] = file
		p.addConstants(file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(maps.Values(packages))
}

func (s *source) addConstants(file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for i, name := range spec.Names {
				if i < len(spec.Values) {
					if text, ok := constant(spec.Values[i]); ok {
						s.consts[name.Name] = append(s.consts[name.Name], text)
					}
				}
			}
		}
		return true
	})
}

// logMessages returns the messages that a file logs. unknown are the methods with a message
// that is not a constant.
func (s *source) logMessages(file *ast.File) (all, unknown []string) {
	packages := map[string]bool{}
	for _, i := range file.Imports {
		name := filepath.Base(strings.Trim(i.Path.Value, `"`))
		if i.Name != nil {
			name = i.Name.Name
		}
		packages[name] = true
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := method.X.(*ast.Ident); ok && packages[x.Name] {
			return true // a function of a package
		}
		arguments := logMethods[method.Sel.Name]
		if slices.Contains(faultMethods, method.Sel.Name) && len(call.Args) == 3 {
			arguments = []int{1}
		}
		for _, i := range arguments {
			if i >= len(call.Args) {
				continue
			}
			if texts := s.texts(call.Args[i]); len(texts) > 0 {
				all = append(all, texts...)
			} else {
				unknown = append(unknown, method.Sel.Name)
			}
		}
		return true
	})
	return all, unknown
}

// texts returns the possible values of a message. Only the constant part of a sum that
// begins with one is returned.
func (s *source) texts(message ast.Expr) []string {
	if text, ok := constant(message); ok {
		return []string{text}
	}
	switch e := message.(type) {
	case *ast.Ident:
		return s.consts[e.Name]
	case *ast.BinaryExpr:
		return s.texts(e.X)
	}
	return nil
}

// An operator looks up a line of the log by its id, so each message has one.
func TestEachLogMessageHasAnID(t *testing.T) {
	page, count := read(t, "messages.md"), 0
	for _, folder := range []string{"daemon", "cmd/genltestd", "config"} {
		for _, p := range sources(t, folder) {
			for name, file := range p.files {
				all, unknown := p.logMessages(file)
				for _, message := range all {
					count++
					if table.ID(message) == "" {
						t.Errorf("%s logs %q, which daemon/messages/messages.yaml lacks: add it, and run make generate", name, message)
					} else if general, _, _ := strings.Cut(message, ": "); !strings.Contains(page, "| `"+message+"`<br>") &&
						!strings.Contains(page, "| `"+general+"`<br>") {
						t.Errorf("docs/messages.md lacks %q", message)
					}
				}
				if len(unknown) > 0 && !slices.Contains(passOn, name) {
					t.Errorf("%s: the message of %q is not a constant, so it has no id", name, unknown)
				}
			}
		}
	}
	if count < 140 {
		t.Errorf("found only %d messages", count)
	}
}

// A message that the program does not log any more misleads.
func TestTheTableContainsOnlyMessagesOfTheProgram(t *testing.T) {
	texts := programTexts(t)
	for row := range strings.Lines(read(t, "messages.md")) {
		if message, _, ok := strings.Cut(strings.TrimPrefix(row, "| `"), "`<br>"); ok && !contains(texts, message) {
			t.Errorf("docs/messages.md has %q, but no string of the program contains it", message)
		}
	}
}

func TestLogMessagesOfAFile(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport \"net/http\"\nconst late = \"constant\"\n"+
		"func f() { http.Error(w, \"not\"); log.Warn(\"one \"+\"two\", \"k\"); h.set(s, late, err); l.Error(arg); l.Resolved(late, \"end\")\n"+
		"e.Error(); l.Info(\"sum: \" + x) }\n", parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{consts: map[string][]string{}}
	s.addConstants(file)
	all, unknown := s.logMessages(file)
	if want := []string{"one two", "constant", "constant", "end", "sum: "}; !slices.Equal(all, want) {
		t.Errorf("messages are %q, want %q", all, want)
	}
	if want := []string{"Error"}; !slices.Equal(unknown, want) {
		t.Errorf("unknown are %q, want %q", unknown, want)
	}
}

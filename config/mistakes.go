// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/config/diagnose"
)

// maxSyntaxFaults bounds how many syntax errors of one file are reported.
const maxSyntaxFaults = 10

// syntax reports why yaml.v3 rejects the text. The errors of yaml.v3 often name another
// line, and no column. The remedy of each fault is applied to find the next one; a second
// fault on a line that was changed would have the wrong column, so it has to wait.
//
// syntax returns a text with all remedies applied, for the remaining checks. It returns nil
// when a remedy changes which values belong together: these checks would mislead then.
func (r *report) syntax(text []byte, err error) []byte {
	language := language()
	changed, repaired, sameParts := make(map[int]bool), make(map[int]bool), true
	for i := range maxSyntaxFaults {
		f := diagnose.Find(text, lineOf(err), language)
		if changed[f.Line] || i > 0 && f.Repaired == nil {
			return nil
		}
		changed[f.Line] = true
		r.add(spot{f.Line, f.Column}, "", "%s", f.Message)
		if f.Repaired == nil || bytes.Count(f.Repaired, newline) != bytes.Count(text, newline) {
			return nil
		}
		sameParts = noteRepair(repaired, f.Line, text, f.Repaired) && sameParts
		if text = f.Repaired; !language.Parses(text) {
			continue
		}
		if !sameParts {
			return nil
		}
		r.repaired = repaired
		return text
	}
	return nil
}

// noteRepair adds the lines from the fault to the end of its repair. It returns false when the
// repair changes the indentation of a line.
func noteRepair(repaired map[int]bool, fault int, before, after []byte) bool {
	old := bytes.Split(before, newline)
	for i, line := range bytes.Split(after, newline) {
		if bytes.Equal(line, old[i]) {
			continue
		}
		if indentation(line) != indentation(old[i]) && len(bytes.TrimSpace(line)) > 0 {
			return false
		}
		for n := min(fault, i+1); n <= max(fault, i+1); n++ {
			repaired[n] = true
		}
	}
	return true
}

func indentation(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t")) }

// failRepaired marks what was read from a repaired line as not known. The author may have
// meant another value than the remedy gives.
func (r *report) failRepaired() {
	for _, places := range []map[string]spot{r.keys, r.values} {
		for path, at := range places {
			if r.repaired[at.line] {
				r.failed[path] = true
			}
		}
	}
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// lineOf returns the line that an error of yaml.v3 names. It leaves out "line 1".
func lineOf(err error) int {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return line
		}
	}
	return 1
}

var newline = []byte("\n")

// language describes the configuration to package diagnose.
func language() diagnose.Language {
	kinds := keyKinds()
	return diagnose.Language{
		Parses:   parses,
		Kind:     func(key string) diagnose.Kind { return kinds[key] },
		IsPublic: func(key string) bool { return slices.Contains(publicKeys, key) },
		Reject:   reject,
	}
}

// publicKeys are those whose values an error may repeat: they never hold a secret.
var publicKeys = []string{"filter", "extract", "template"}

// reject returns why no key of this name accepts a text. Quotes are no remedy then.
func reject(key, text string) (why string) {
	if key == "name" && !plainName.MatchString(text) {
		return fmt.Sprintf("%s is not a valid name; write %sletters and digits", quote(text), likelyName(text))
	}
	for _, f := range fieldsOf(reflect.TypeFor[Config](), "") {
		if lastKey(f.path) != key {
			continue
		}
		v := reflect.New(f.kind).Elem()
		if !isText(v) || isValue(f.kind) {
			return ""
		}
		err := setText(v, text)
		if err == nil {
			return ""
		}
		why = valueError(v, f.tag, err).Error()
	}
	return why
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// parses reports whether yaml.v3 accepts every document of the text.
func parses(text []byte) bool {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := next(dec); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// keyKinds returns the kind of value of each key. A key that has another kind in another
// place is not in it, nor one whose value is a secret: both forms are valid for that.
func keyKinds() map[string]diagnose.Kind {
	kinds := make(map[string]diagnose.Kind)
	for _, f := range fieldsOf(reflect.TypeFor[Config](), "") {
		key, kind := lastKey(f.path), kindOfValue(f.kind)
		if before, ok := kinds[key]; ok && before != kind {
			kind = diagnose.Unknown
		}
		kinds[key] = kind
	}
	return kinds
}

func kindOfValue(t reflect.Type) diagnose.Kind {
	switch {
	case t == reflect.TypeFor[Secret]():
		return diagnose.Unknown
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Struct, t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		return diagnose.Parts
	}
	return diagnose.Scalar
}

// lastKey is the last key of a path.
func lastKey(path string) string { return strings.TrimPrefix(path[len(parentOf(path)):], ".") }

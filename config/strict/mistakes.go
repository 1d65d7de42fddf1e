// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/genltestd/genltestd/config/strict/diagnose"
)

// maxSyntaxFaults bounds how many syntax errors of one file are reported.
const maxSyntaxFaults = 10

// syntax reports why yaml.v3 rejects the text. The errors of yaml.v3 often name another
// line, and no column. The remedy of each fault is applied to find the next one; a second
// fault on a line that was changed would have the wrong column, so it has to wait.
//
// syntax returns a text with all remedies applied, for the remaining checks. It returns nil
// if a remedy changes which values belong together: these checks would mislead.
func (r *Report) syntax(text []byte, err error) []byte {
	language := LanguageOf(r.root, r.variants)
	changed, repaired, sameParts := make(map[int]bool), make(map[int]bool), true
	for i := range maxSyntaxFaults {
		f := diagnose.Find(text, lineOf(err), language)
		if changed[f.Line] || i > 0 && f.Repaired == nil {
			return nil
		}
		changed[f.Line] = true
		r.add(position{f.Line, f.Column}, "", "%s", f.Message)
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

// noteRepair adds the lines from the fault to the end of its repair. It returns false if the
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

// failRepaired marks the values of repaired lines as not known: the author may have intended
// another value than the remedy.
func (r *Report) failRepaired() {
	for _, places := range []map[string]position{r.keys, r.values} {
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

// LanguageOf describes the keys of a file to package diagnose.
func LanguageOf(root reflect.Type, variants []Variant) diagnose.Language {
	all := fieldsWithin(root, variants)
	kinds, public := make(map[string]diagnose.Kind), make(map[string]bool)
	for _, f := range all {
		kind := kindOfValue(f.Type)
		// The kind of a key that has another kind in another place is not known.
		if before, ok := kinds[f.Key]; ok && before != kind {
			kind = diagnose.Unknown
		}
		kinds[f.Key] = kind
		public[f.Key] = public[f.Key] || f.Tag.Get("public") == "true"
	}
	return diagnose.Language{
		Parses:   parses,
		Kind:     func(key string) diagnose.Kind { return kinds[key] },
		IsPublic: func(key string) bool { return public[key] },
		Reject:   func(key, text string) string { return reject(all, key, text) },
	}
}

// fieldsWithin returns the keys of t, and those within each of them.
func fieldsWithin(t reflect.Type, variants []Variant) (all []Field) {
	if t = elem(t); !IsMapping(t) {
		return nil
	}
	for _, f := range Fields(t, variants) {
		all = append(append(all, f), fieldsWithin(f.Type, variants)...)
	}
	return all
}

// reject returns why no key of this name accepts a text, so that quotes are not a remedy.
func reject(fields []Field, key, text string) (why string) {
	for _, f := range fields {
		if f.Key != key {
			continue
		}
		v := reflect.New(f.Type).Elem()
		switch {
		case f.Tag.Get("name") == "true" && !plainName.MatchString(text):
			return fmt.Sprintf("%s is not a valid name; write %sletters and digits", Quote(text), LikelyName(text))
		case !isWord(v, f.Tag) || IsValue(f.Type):
			return ""
		}
		err := setText(v, f.Tag, text)
		if err == nil {
			return ""
		}
		why = valueError(v, f.Tag, err).Error()
	}
	return why
}

var (
	plainName  = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	notInNames = regexp.MustCompile(`[^a-z0-9_.-]+`)
	validName  = regexp.MustCompile(`^[a-z0-9]([a-z0-9_.-]{0,62})$`)
)

// LikelyName returns the advice to write a valid name that is similar to name, such as
// `"a-b", or `; it is empty without such a name. A valid name has at most 63 of a-z, 0-9,
// "_", "." and "-", and begins with a letter or digit.
func LikelyName(name string) string {
	likely := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-_.")
	if !IsName(likely) {
		return ""
	}
	return Quote(likely) + ", or "
}

// IsName reports whether a name is valid; see LikelyName.
func IsName(name string) bool { return validName.MatchString(name) }

// parses reports whether yaml.v3 accepts every document of the text.
func parses(text []byte) bool {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := next(dec); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// kindOfValue returns Unknown for a secret: both forms are valid for it.
func kindOfValue(t reflect.Type) diagnose.Kind {
	switch {
	case isSensitive(t):
		return diagnose.Unknown
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		return diagnose.Parts
	}
	return diagnose.Scalar
}

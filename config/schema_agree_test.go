// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// A limit of schemas is a fault that Parse finds and a schema cannot: a message, and
// what the value is that it is about.
type schemaLimit struct {
	message string // regular expressions
	value   string // of the scalar where the fault is, in quotes if it has some; empty for any
	partly  bool   // a schema finds some of them
}

const (
	// Numbers, as YAML and not JSON may write them.
	oddNumber = `^[-+]?[0-9][0-9a-fxob_.e+]*$|^\.(inf|nan)$`
	// Durations with a fraction, of several units or below 1ms.
	partsOfDuration = `\.|[a-zµμ][0-9]|[nuµμ]s"?$`
)

// All that the verdict of the schema may differ by from that of Parse: it accepts, and
// each fault of the text is one of these.
func schemaLimits() []schemaLimit {
	return []schemaLimit{
		// Rules about two keys.
		{message: `the timeout .* is longer than the interval`},
		{message: `retry_max .* is less than retry_min`},
		{message: `; leave it at 1$`},
		{message: `has no (effect|meaning) (with|without|on) `, partly: true}, // and the value is not looked at
		{message: `is missing, which envelope: template needs`},
		{message: `has no place for attributes beside the event`},
		{message: `the program's timeout .* is longer than attempt_timeout`},
		{message: `there is a bearer token too`},
		{message: `has no (user|password|key|certificate) beside it`, partly: true},
		{message: `receivers differ in whether they verify`},
		{message: `is of no use with`},
		{message: `write 1s or more, or 0 for not at all`},
		{message: `readers of a socket that listens confirm nothing`},
		{message: `does not begin with a known scheme; write unix:///PATH$`},
		{message: `is written by `},
		{message: `has a meaning of its own, which an id would replace`},

		// What is there twice.
		{message: `is taken by sinks\[`},
		{message: `is headers\[\d+\] already`},
		{message: `(retry|permanent)\[\d+\]: \d+ is in the list taken already|permanent\[\d+\]: \d+ is in the list retry already`},

		// What another file may have.
		{message: `sinks: is empty, so events would go nowhere`},

		// What is the same in JSON.
		{message: `YAML tag|the word that begins with !`, partly: true},
		{message: `a key is an alias`, partly: true},
		{message: `a second YAML document begins here`},
		{message: `the byte 0xf[ef] is not UTF-8`, partly: true}, // UTF-16
		{message: `^has no value`, value: `^(~|null)$`},          // of the whole file
		{message: `is the boolean (?i:y|yes|on|n|no|off), but must be text|is not an expression; write`, partly: true},
		{message: `is the date `, partly: true},
		{message: `is the boolean (?i:true|false), but must be true or false`, partly: true},
		{message: `is not a (whole number|size|duration|file mode);|has no unit;`, value: oddNumber, partly: true},
		{message: `could not write to its file`, value: `^[0-7]+$`, partly: true},

		// What a regular expression cannot tell, or not in reason.
		{message: `is out of range|is too little`, value: partsOfDuration, partly: true},
		{message: `" is out of range`, value: `^[-+]?[0-9]+[a-zµμ]+$|` + partsOfDuration, partly: true}, // of more than 63 bits
		{message: `"[0-9]+([kKMG]i?B)?" is out of range; write .* to 8589934591GiB`, partly: true},
		{message: `is no whole number of seconds`},
		{message: `is (no|not a) host`, partly: true},
		{message: `is no URI reference`, partly: true},
		{message: `is no media type`, partly: true},
		{message: `belongs to the connection or to the body`},
		{message: `has a character that cannot be shown`, partly: true},

		// Characters are counted, and not bytes.
		{message: `has \d+ bytes`, partly: true},
	}
}

// For good and bad files and thousands of small ones, the schema's verdict is that of
// Parse, but for the limits. Those that are not needed fail too.
func TestSchemaAgreesWithParse(t *testing.T) {
	j := newJudge(t)
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml", "reference.yaml", "examples.yaml"} {
		for _, path := range glob(t, pattern, 1) {
			j.compare(filepath.Base(path), readTestFile(t, path))
		}
	}
	for text := range schemaCases() {
		j.compare("case", []byte(text))
	}
	t.Logf("%d texts, of which Parse refuses %d; of these the schema accepts %d", j.all, j.refused, j.excused)
	if testing.Short() {
		return
	}
	if j.all < 5000 {
		t.Errorf("only %d texts", j.all)
	}
	for _, r := range j.rules {
		if !r.used {
			t.Errorf("no text needs the limit %q", r.message)
		}
	}
}

// A drop-in is a file like the main one, and has less in it.
func TestSchemaAcceptsWhatLoadDoes(t *testing.T) {
	j := newJudge(t)
	for _, dir := range glob(t, "testdata/dirs/*", 28) {
		c, err := LoadOptional(filepath.Join(dir, "genltestd.yaml"))
		if err != nil {
			continue
		}
		for _, f := range c.Files() {
			j.all++
			if err := j.validate(readTestFile(t, f.Name)); err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
	}
	if j.all < 15 {
		t.Errorf("only %d files", j.all)
	}
}

// A judge compares verdicts.
type judge struct {
	testing.TB
	schema *jsonschema.Schema
	rules  []*rule

	all, refused, excused int
}

type rule struct {
	message, value *regexp.Regexp
	partly, used   bool
}

func newJudge(t testing.TB) *judge {
	j := &judge{TB: t, schema: compileSchema(t)}
	for _, l := range schemaLimits() {
		j.rules = append(j.rules, &rule{regexp.MustCompile(l.message), regexp.MustCompile(l.value), l.partly, false})
	}
	return j
}

func (j *judge) compare(name string, text []byte) {
	j.all++
	_, parseErr := Parse("x", text)
	schemaErr := j.validate(text)
	if parseErr == nil {
		if schemaErr != nil {
			j.Errorf("%s: Parse accepts, the schema does not: %v\n%.500s", name, schemaErr, text)
		}
		return
	}
	j.refused++
	var faults Errors
	if !errors.As(parseErr, &faults) {
		j.Fatalf("%s: %v", name, parseErr)
	}
	rules := j.rulesOf(faults, text)
	switch {
	case schemaErr == nil && rules == nil:
		j.Errorf("%s: the schema accepts, Parse does not: %v\n%.500s", name, parseErr, text)
	case schemaErr == nil:
		j.excused++
		for _, r := range rules {
			r.used = true
		}
	case rules != nil && !slices.ContainsFunc(rules, func(r *rule) bool { return r.partly }):
		j.Errorf("%s: exception not needed: Parse says %v\nthe schema %v\n%.500s", name, parseErr, schemaErr, text)
	}
}

func (j *judge) validate(text []byte) error {
	documents, err := jsonModel(text)
	for _, v := range documents {
		err = errors.Join(err, j.schema.Validate(v))
	}
	return err
}

// rulesOf returns a rule for each of the faults, nil if there is none for one.
func (j *judge) rulesOf(faults Errors, text []byte) []*rule {
	var all []*rule
	for _, fault := range faults {
		value := scalarAt(text, fault.Line, fault.Column)
		i := slices.IndexFunc(j.rules, func(r *rule) bool {
			return r.message.MatchString(strings.TrimPrefix(fault.Path+": "+fault.Message, ": ")) && r.value.MatchString(value)
		})
		if i < 0 {
			return nil
		}
		all = append(all, j.rules[i])
	}
	return all
}

// scalarAt is the text of the scalar that begins at a place, in quotes if it has some. It
// is empty if none does.
func scalarAt(text []byte, line, column int) string {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return ""
	}
	return scalarIn(&root, spot{line, column})
}

func scalarIn(n *yaml.Node, at spot) string {
	switch {
	case n.Kind != yaml.ScalarNode || spotOf(n) != at:
	case n.Style == 0:
		return n.Value
	default:
		return strconv.Quote(n.Value)
	}
	for _, child := range n.Content {
		if text := scalarIn(child, at); text != "" {
			return text
		}
	}
	return ""
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// page describes the JSON of the commands.
const page = "../../docs/genltestctl.md"

// jsonForms are the types of the objects that each command prints.
func jsonForms() map[string][]any {
	return map[string][]any{
		"canary":         {api.Canary{}},
		"config diff":    {diffForm{}},
		"config show":    {configForm{}},
		"dlq drop":       {api.Count{}},
		"dlq list":       {api.Box{}, api.Letter{}},
		"dlq replay":     {api.Count{}, replayForm{}},
		"dlq show":       {api.Letter{}},
		"echo":           {echoForm{}},
		"explain":        {api.Explanation{}},
		"family list":    {familyForm{}},
		"family show":    {familyForm{}},
		"family spec":    {specForm{}},
		"journal stat":   {journalStatForm{}},
		"journal verify": {journalForm{}},
		"listen":         {listenForm{}},
		"log-level":      {api.LogLevel{}},
		"reload":         {api.Reload{}},
		"sink pause":     {api.Pause{}},
		"sink resume":    {api.Pause{}},
		"sink retry":     {api.Retry{}},
		"sink skip":      {api.Skipped{}},
		"sink test":      {api.SinkTest{}},
		"status":         {api.Status{}},
		"support":        {supportForm{}},
		"tail":           {api.Missed{}},
		"top":            {loadForm{}},
	}
}

// withoutJSON are the commands that print no objects of their own: ping prints nothing, and journal dump
// the events of sinks.
var withoutJSON = []string{"journal dump", "ping"}

// TestThePageDescribesEachFieldOfTheJSON: the fields of the types of this program are in the text about the command,
// and the types of the API are named. Another test compares api.yaml with them.
func TestThePageDescribesEachFieldOfTheJSON(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## Use in scripts\n")
	section, _, ok := strings.Cut(rest, "\n## Exit status\n")
	if !ok {
		t.Fatal("the section does not exist")
	}
	for command, forms := range jsonForms() {
		for _, form := range forms {
			for _, missing := range undescribed(section, command, reflect.TypeOf(form)) {
				t.Errorf("%s lacks %s of %q", page, missing, command)
			}
		}
	}
}

// An unknown command may be described, but its fields are not compared.
func TestEachCommandHasDescribedJSON(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Use in scripts\n")
	forms := jsonForms()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			visit(below)
		}
		path := strings.TrimPrefix(c.CommandPath(), "genltestctl ")
		if c.HasSubCommands() || slices.Contains(withoutJSON, path) {
			return
		}
		if _, known := forms[path]; !known && !strings.Contains(section, "`"+path) {
			t.Errorf("%s does not describe the JSON of %q; add its type to jsonForms", page, path)
		}
		delete(forms, path)
	}
	visit((&session{output: outputText}).command())
	for path := range forms {
		t.Errorf("the command %q does not exist", path)
	}
}

// undescribed returns the fields and types of a form that the text about a command does not name.
func undescribed(section, command string, form reflect.Type) (missing []string) {
	if form.PkgPath() == reflect.TypeFor[api.Status]().PkgPath() {
		row := regexp.MustCompile("(?m)^\\|[^|]*`" + command + "[ A-Z]*`[^|]*\\|[^\\n]*`" + form.Name() + "`")
		if !row.MatchString(section) {
			return []string{"the schema " + form.Name()}
		}
		return nil
	}
	text := about(section, command)
	for _, field := range fieldsOf(form) {
		if !strings.Contains(text, "`"+field+"`") {
			missing = append(missing, "the field "+field)
		}
	}
	return missing
}

// about returns the paragraph that begins with a command, and those after it up to a paragraph of another command.
func about(section, command string) string {
	var all strings.Builder
	begins := regexp.MustCompile("^`[a-z -]+`")
	inside, before := false, ""
	for line := range strings.Lines(section) {
		if before == "\n" && begins.MatchString(line) {
			inside = strings.Contains(line, "`"+command)
		}
		before = line
		if inside {
			all.WriteString(line)
		}
	}
	return all.String()
}

// fieldsOf returns the names of the fields of a type, and of those of this program within it.
func fieldsOf(of reflect.Type) (names []string) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of.PkgPath() != reflect.TypeFor[session]().PkgPath() {
		return nil
	}
	for i := range of.NumField() {
		f := of.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
		if f.Type != reflect.TypeFor[*journalForm]() { // of journal verify
			names = append(names, fieldsOf(f.Type)...)
		}
	}
	return names
}

// The test of the page must see a field that is missing.
func TestAMissingFieldIsSeen(t *testing.T) {
	const section = "| `status` | `Status` |\n\n`a` prints `file` and `parts`:\n\n`b` prints `bytes`, `name` and `error`.\n"
	got := undescribed(section, "a", reflect.TypeFor[supportForm]())
	if want := "the field bytes, the field name, the field bytes, the field error"; strings.Join(got, ", ") != want {
		t.Errorf("missing %q, want %q", got, want)
	}
	if got := undescribed(section, "status", reflect.TypeFor[api.Box]()); len(got) != 1 {
		t.Errorf("missing %q", got)
	}
	if got := undescribed(section, "status", reflect.TypeFor[api.Status]()); len(got) > 0 {
		t.Errorf("missing %q", got)
	}
}

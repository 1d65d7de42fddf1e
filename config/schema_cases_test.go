// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// schemaCases yields small configurations: every key with every text that might be
// mistaken for a value of it, and then several keys of one sink at once, at random but
// each time the same.
func schemaCases() iter.Seq[string] {
	fields := schemaFields(reflect.TypeFor[Config](), "", "")
	random := rand.New(rand.NewPCG(1, 2))
	return func(yield func(string) bool) {
		for _, text := range rareCases {
			if !yield(text) {
				return
			}
		}
		for _, f := range fields {
			for _, value := range f.values {
				if (!testing.Short() || random.IntN(20) == 0) && !yield(configWith(assignment{f.path, value})) {
					return
				}
			}
		}
		for range 4000 {
			if testing.Short() && random.IntN(20) > 0 {
				continue
			}
			if !yield(configWith(sampleAssignments(fields, random)...)) {
				return
			}
		}
	}
}

// rareCases need more than one key, or a long text.
var rareCases = []string{
	"\xff\xfe{\x00}\x00", // UTF-16
	"event: {labels: {a: &e echo}}\n*e : {}",
	"{x-: [1, {a: b}], x-a: &a {batch_events: 5}, sinks: [{<<: *a, name: a, stdout: }]}",
	"{x-a: &a {batch_events: 0}, sinks: [{<<: *a, name: a, stdout: }]}",
	"{x-a: &a {name: a, file: {path: /x}}, sinks: [{<<: *a, stdout: }]}",
	"{x-a: &a {<<: &b {batch_events: 0}}, log: {<<: *a}}",
	"{X-a: 1}", "{xa: 1}", "{log: {x-a: 1}}", "{sinks: [{x-a: 1, name: a, stdout: }]}",
	"{sinks: [{name: a, stdout: , envelope: raw, content_type: text/plain}]}",
	`{sinks: [{name: a, stdout: , envelope: raw, content_type: "text/plain; x"}]}`,
	"{sinks: [{name: a, stdout: , envelope: raw, content_type: text}]}",
	"{sinks: [{name: a, stdout: , envelope: template, template: " + strings.Repeat("x", maxTemplate) + "}]}",
	"{sinks: [{name: a, stdout: , envelope: template, template: " + strings.Repeat("x", maxTemplate+1) + "}]}",
	"{sinks: [{name: a, stdout: , envelope: template, template: " + strings.Repeat("é", maxTemplate) + "}]}",
	"{sinks: [{name: a, stdout: }, {name: b, syslog: }, {name: c, journald: {}}]}",
	"{sinks: [{name: a, webhook: {url: x, taken: [300, 409], retry: [410]}}]}",
	"{sinks: [{name: a, webhook: {url: x, taken: [300, 409], retry: [409]}}]}",
}

// An assignment sets the key at a path, like sinks[].file.path, to a YAML value.
type assignment struct{ path, value string }

// sampleAssignments returns assignments for a sink of one kind.
func sampleAssignments(fields []schemaField, random *rand.Rand) []assignment {
	kinds := kindNames()
	kind := kinds[random.IntN(len(kinds))]
	var all []assignment
	for len(all) < 3 {
		f := fields[random.IntN(len(fields))]
		if f.kind == "" || f.kind == kind {
			all = append(all, assignment{f.path, f.values[random.IntN(len(f.values))]})
		}
	}
	return append(all, assignment{"sinks[]." + kind, ""})
}

type schemaField struct {
	path, kind string
	values     []string
}

// schemaFields returns the keys within t, the entries of lists and of mappings of texts, and
// an unknown key.
func schemaFields(t reflect.Type, path, kind string) []schemaField {
	switch {
	case t.Kind() == reflect.Slice:
		entry := schemaField{path + "[]", kind, valuesOf(t.Elem(), "")}
		return append(schemaFields(t.Elem(), path+"[]", kind), entry)
	case t.Kind() == reflect.Map:
		var all []schemaField
		for _, key := range []string{"site", "Site", "7", "a-b"} {
			all = append(all, schemaField{path + "." + key, kind, textValues})
		}
		return all
	case t.Kind() != reflect.Struct:
		return nil
	}
	all := []schemaField{{strict.Join(path, "nokey"), kind, []string{"1"}}}
	for _, f := range keysOf(t) {
		at, of := strict.Join(path, f.Key), kind
		if f.Variant {
			of = f.Key
		}
		all = append(all, schemaField{at, of, valuesOf(f.Type, f.Tag)})
		all = append(all, schemaFields(f.Type, at, of)...)
	}
	return all
}

func keysOf(t reflect.Type) []strict.Field { return strict.Fields(t, sink.Variants(sinks.Kinds())) }

// Values of the wrong type for some keys, or in unusual syntax.
var unusualValues = []string{
	"", "~", "null", "[]", "{}", "[a]", "{a: b}", "[[]]", "true", "True", `"true"`, "yes", "off", "0", "-0", "+0", "00", "1", "01", "-1", "+1",
	"1.0", "1.5", "1e1", "0x10", "0o17", "0b1", "1_0", "5", `"5"`, "99999999999999999999", ".inf", ".nan", "2026-01-02",
	"12:30", "x", `""`, "!!str x", "!x 1",
}

// Texts that are valid for some keys.
var textValues = append([]string{
	"a.b", "A", "-a", "é", `"a b"`, `" "`, `"a:1"`, `":0"`, `"h:0"`, `"h:65535"`, `"h:65536"`, `"h:080"`, `"1.2.3.4:1"`,
	`"1.2.3:1"`, `"1.2.3.256:1"`, `"[::1]:1"`, `"[h]:1"`, `"[]:1"`, `"::1"`,
	`"fe80::1%x"`, `"::g"`, "1.2.3.4", "1.2.3", "/", "/x", "/x/", "//", "./x", `"/x\n"`, `"/x\x7f"`, `"\0"`, `"\x9f"`, `"\u202e"`, `"a\tb"`,
	"unix:///x", "unix:///x/", "unix://x", "unix:///" + strings.Repeat("x", 106), "unix:///" + strings.Repeat("x", 107),
	"unix:///" + strings.Repeat("é", 60),
	"unixgram:///x", "unixstream:///x", "udp://h:1", "tcp://h:1", "tcp://h:0", "tcp://:1", "tcp://h", "tls://[::1]:65535",
	"http://h/x", "x://h:1", "unix:/x",
	"text/plain", `"text/plain; charset=utf-8"`, `"text/plain; x"`, "text", "/plain", "text/", "urn:a:b", `"urn:%zz"`, `":"`, `"a b:c"`,
	"<secret>", "X-Key", "Content-Length", "HOST", "whsec_x", "MESSAGE", "GENLTEST_X", "SITE", "_SITE", "json", "raw", "template", "journald",
	strings.Repeat("a", 32), strings.Repeat("a", 33), strings.Repeat("a", 63), strings.Repeat("a", 64),
	strings.Repeat("A", 64), strings.Repeat("A", 65),
	strings.Repeat("a", 100), strings.Repeat("a", 101), strings.Repeat("a", 200), strings.Repeat("a", 201),
	strings.Repeat("a", 254), strings.Repeat("a", 255), strings.Repeat("a", 256),
	strings.Repeat("a", 257), strings.Repeat("é", 129), strings.Repeat("a", maxAppName), strings.Repeat("a", maxAppName+1),
	"{credential: a.b}", "{credential: a/b}", `{credential: ""}`, "{credential: ~}", "{file: /x}", "{file: x}", "{env: X_1}",
	"{env: $X}", "{env: X, file: /x}", "{credential: 5}", "{x: y}",
}, unusualValues...)

var sizeValues = []string{
	"1B", "1K", "1M", "1kib", "1 MiB", "1_000", "0x10kB", "1.5MiB", "-1kB", "+1kB", "010", "010kB", "0GiB", "00GiB", `"0"`,
	"MiB", "1MiBMiB", "9223372036854775807", "9223372036854775808",
	"8589934591GiB", "8589934592GiB", "99999999999GiB", "9223372036854775kB", "9223372036854776kB",
}

var durationValues = []string{
	`"0"`, `"+0"`, `"-0"`,
	"0s", "-0s", "0h0m", "-0.0s", "-0.0000000001s", "+5s", "-5s", "05s", "5", "5d", "1 h", "1h30", "1h30m", "1.5h", ".5s",
	"5.s", ".s", "-1h30m", "1us", "1µs", "1μs", "1ns", "1.5ns", "1h-1m",
	"100000h0m", "99999999h", "9999999999h", "2562047h48m", "0.1ms", "1ms1ns",
}

var modeValues = []string{"0640", "640", `"0640"`, `"640"`, "0440", `"0440"`, "064", "06400", "1640", "0o640", "0800", "0777", "777", "698"}

// valuesOf returns test values of a type, inside and outside the limits of a tag.
func valuesOf(t reflect.Type, tag reflect.StructTag) []string {
	switch t {
	case reflect.TypeFor[value.Size]():
		return slices.Concat(unusualValues, sizeValues, aroundLimits[value.Size](tag, 1, 1e3, 1<<10, 1e6, 1<<20, 1e9, 1<<30))
	case reflect.TypeFor[value.Duration]():
		return slices.Concat(unusualValues, durationValues, aroundLimits[value.Duration](tag, 1, 1e3, 1e6, 1e9, 60e9, 3600e9))
	case reflect.TypeFor[value.FileMode]():
		return slices.Concat(unusualValues, modeValues)
	case reflect.TypeFor[value.Secret](), reflect.TypeFor[value.TLSFile]():
		return textValues
	}
	if words := strict.Words(t, tag); words != nil {
		return slices.Concat(unusualValues, words, []string{strings.ToUpper(words[0]), words[0] + "x", `"` + words[0] + `"`})
	}
	switch t.Kind() {
	case reflect.String:
		return textValues
	case reflect.Struct, reflect.Map:
		return unusualValues
	case reflect.Slice:
		return append([]string{
			"[300, 300]", "[300, 599]", "[299]", "[600]", "[409, 409.0]", `["/x", ""]`, `["/x", "\0"]`, `[x]`, `[5]`,
		}, unusualValues...)
	}
	return append(numbersAround(tag), unusualValues...)
}

func numbersAround(tag reflect.StructTag) []string {
	var all []string
	for _, name := range []string{"min", "max"} {
		if n, err := strconv.Atoi(tag.Get(name)); err == nil {
			all = append(all, strconv.Itoa(n-1), strconv.Itoa(n), strconv.Itoa(n+1))
		}
	}
	return all
}

// aroundLimits returns the whole numbers of each unit next to the limits of a tag.
func aroundLimits[T value.Size | value.Duration](tag reflect.StructTag, units ...int64) []string {
	least, most := limitOf[T](tag.Get("min"), 0), limitOf[T](tag.Get("max"), math.MaxInt64)
	var all []string
	for _, unit := range units {
		name := strings.TrimLeft(fmt.Sprint(T(unit)), "0123456789")
		for _, limit := range []int64{least / unit, most / unit} {
			for n := limit - 1; n < limit+3; n++ {
				all = append(all, strconv.FormatInt(n, 10)+name)
			}
		}
	}
	return all
}

func limitOf[T value.Size | value.Duration](text string, none T) int64 {
	limit := none
	if text != "" {
		mustUnmarshal(any(&limit).(interface{ UnmarshalText([]byte) error }), text)
	}
	return int64(limit)
}

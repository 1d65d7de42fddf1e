// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
)

// functions returns the functions of a template in addition to those of text/template.
// Functions that copy a text, which a loop could repeat, spend the budget.
func functions(b *budget) template.FuncMap {
	return template.FuncMap{
		"json":        func(value any) (string, error) { return b.spendResult(jsonOf(value)) },
		"base64":      b.of(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }, asString),
		"upper":       b.of(strings.ToUpper, sameType),
		"lower":       b.of(strings.ToLower, sameType),
		"trim":        b.of(strings.TrimSpace, sameType),
		"visible":     b.of(func(s string) string { return Text(s).String() }, asString),
		"raw":         b.of(func(s string) string { return s }, asString),
		"replace":     b.replace,
		"default":     defaultTo,
		"rfc3339":     func(i *Instant) (string, error) { return i.Format(time.RFC3339) },
		"unix":        (*Instant).Unix,
		"print":       b.joining(fmt.Sprint, false),
		"println":     b.joining(fmt.Sprintln, true),
		"html":        b.joining(template.HTMLEscaper, false),
		"js":          b.joining(template.JSEscaper, false),
		"urlquery":    b.urlquery,
		"printf":      b.printf,
		attributeName: b.attribute,

		"call": func(...any) (string, error) { return "", errCall },
	}
}

var errCall = errors.New("an event contains no functions; remove call")

// asString returns the text as a string, for a result that may be written unchanged.
func asString(_ bool, text string) any { return text }

// of returns a function of one text. The argument as chooses the type of the result.
func (b *budget) of(f func(string) string, as func(untrusted bool, text string) any) func(any) (any, error) {
	return func(value any) (any, error) {
		text, untrusted, err := textOf(value)
		if err != nil {
			return nil, err
		}
		result, err := b.spendResult(f(text), nil)
		return as(untrusted, result), err
	}
}

// joining returns a function of any values. The argument control is true if f adds
// control characters.
func (b *budget) joining(f func(...any) string, control bool) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		if err := b.spend(sizeOf(args)); err != nil {
			return nil, err
		}
		return b.join(args, control, f)
	}
}

// join calls f to join several texts. The result is a Text if one of them is, except if
// that would escape control characters that the template itself inserted between them.
// The Texts are then escaped separately, and these characters stay.
func (b *budget) join(args []any, control bool, f func(...any) string) (any, error) {
	untrusted := slices.ContainsFunc(args, isUntrusted)
	if !untrusted || control || slices.ContainsFunc(args, hasControl) {
		return b.spendResult(f(args...), nil)
	}
	plain := slices.Clone(args)
	for i, arg := range plain {
		if text, ok := arg.(Text); ok {
			plain[i] = string(text)
		}
	}
	text, err := b.spendResult(f(plain...), nil)
	return Text(text), err
}

func isUntrusted(arg any) bool { _, ok := arg.(Text); return ok }

func hasControl(arg any) bool {
	text, ok := arg.(string)
	return ok && Text(text).String() != text
}

func (b *budget) printf(format string, args ...any) (any, error) {
	if err := b.spend(formattedSize(format, args)); err != nil {
		return nil, err
	}
	if b.strict {
		if err := checkFormat(format, args); err != nil {
			return nil, err
		}
	}
	return b.join(args, hasControl(format), func(args ...any) string { return fmt.Sprintf(format, args...) })
}

// checkFormat returns an error if package fmt reports a value that is missing or does
// not match its verb. It detects nothing if the format or the values contain such a
// report themselves.
func checkFormat(format string, args []any) error {
	const mark = "%!"
	if strings.Contains(strings.ReplaceAll(format, "%%", ""), mark) {
		return fmt.Errorf("the format %q contains %%!, which is not a verb; write %%%%! for these characters", format)
	}
	if strings.Contains(format, mark) || strings.Contains(fmt.Sprint(args...), mark) {
		return nil
	}
	_, report, found := strings.Cut(fmt.Sprintf(format, args...), mark)
	if !found {
		return nil
	}
	return fmt.Errorf("the format %q does not match its values: %s; write %%s for a text and %%d for a number", format, formatFault(report))
}

var wrongVerb = regexp.MustCompile(`^(.)\((\S+?)[=)]`)

// formatFault explains a report of package fmt, without its %!.
func formatFault(report string) string {
	m := wrongVerb.FindStringSubmatch(report)
	switch {
	case strings.HasPrefix(report, "(EXTRA"):
		return "there are more values than verbs"
	case strings.Contains(report, "(MISSING)"):
		return "there are more verbs than values"
	case strings.Contains(report, "(NOVERB)"):
		return "a verb is missing after %, and %% writes a %"
	case m != nil && typeWords[m[2]] != "":
		return fmt.Sprintf("%%%s does not write %s", m[1], typeWords[m[2]])
	}
	return fmt.Sprintf("%%!%.40s", report)
}

func (b *budget) urlquery(args ...any) (string, error) {
	if err := b.spend(sizeOf(args)); err != nil {
		return "", err
	}
	plain := slices.Clone(args)
	for i, arg := range plain {
		if text, ok := arg.(Text); ok {
			plain[i] = string(text)
		}
	}
	return b.spendResult(template.URLQueryEscaper(plain...), nil)
}

// replace has the text as its last argument, for the end of a pipeline.
func (b *budget) replace(old, with, value any) (any, error) {
	from, _, err1 := textOf(old)
	to, untrusted1, err2 := textOf(with)
	text, untrusted2, err3 := textOf(value)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return nil, err
	}
	if from == "" {
		return nil, errors.New("the text to replace is empty")
	}
	if err := b.spend(len(text) + strings.Count(text, from)*(len(to)-len(from))); err != nil {
		return nil, err
	}
	if b.strict && untrusted2 && maxSample/len(from)*len(to) > maxOutput {
		return nil, errText // for the text of an event that consists of from
	}
	return sameType(untrusted1 || untrusted2, strings.ReplaceAll(text, from, to)), nil
}

// defaultTo has the value as its last argument, for the end of a pipeline.
func defaultTo(otherwise, value any) any {
	if truth, ok := template.IsTrue(value); ok && truth {
		return value
	}
	return otherwise
}

// jsonOf encodes texts like AppendJSON.
func jsonOf(value any) (string, error) {
	switch v := value.(type) {
	case *View, *Gap, *Suppressed, *Instant, *Attributes, *Attribute:
		return jsonOfOurs(v.(fmt.Stringer)), nil
	case string:
		return string(appendQuoted(nil, v)), nil
	case Text:
		return string(appendQuoted(nil, string(v))), nil
	case map[string]string:
		return string(appendObject(nil, v)), nil
	case map[string]Text:
		return string(appendObject(nil, v)), nil
	case nil, bool, int, int64, uint64, float64:
		text, err := json.Marshal(v)
		return string(text), err
	}
	return "", fmt.Errorf("cannot write a %T as JSON", value)
}

func jsonOfOurs(value fmt.Stringer) string {
	if reflect.ValueOf(value).IsNil() {
		return "null"
	}
	text := value.String()
	if _, ok := value.(*Instant); ok {
		text = string(appendQuoted(nil, text))
	}
	return text
}

func appendObject[T ~string](dst []byte, m map[string]T) []byte {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, name), ':')
		dst = appendQuoted(dst, string(m[name]))
	}
	return append(dst, '}')
}

// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"time"
)

// functions are what a template has beside those of text/template. The ones that
// copy a text, which a loop could repeat, spend the budget.
func functions(b *budget) template.FuncMap {
	return template.FuncMap{
		"json":     func(value any) (string, error) { return b.spent(jsonOf(value)) },
		"base64":   b.of(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }, visibly),
		"upper":    b.of(strings.ToUpper, like),
		"lower":    b.of(strings.ToLower, like),
		"trim":     b.of(strings.TrimSpace, like),
		"visible":  b.of(func(s string) string { return Text(s).String() }, visibly),
		"raw":      b.of(func(s string) string { return s }, visibly),
		"replace":  b.replace,
		"default":  defaultTo,
		"rfc3339":  func(i *Instant) (string, error) { return i.Format(time.RFC3339) },
		"unix":     (*Instant).Unix,
		"print":    b.joining(fmt.Sprint, false),
		"println":  b.joining(fmt.Sprintln, true),
		"html":     b.joining(template.HTMLEscaper, false),
		"js":       b.joining(template.JSEscaper, false),
		"urlquery": b.urlquery,
		"printf":   b.printf,
		"call":     func(...any) (string, error) { return "", errCall },
	}
}

var errCall = errors.New("nothing in an event is a function; leave call out")

// visibly is for a result that may be written as it is.
func visibly(_ bool, text string) any { return text }

// of makes a function of one text. The type of its result is the last argument's to
// choose.
func (b *budget) of(f func(string) string, as func(untrusted bool, text string) any) func(any) (any, error) {
	return func(value any) (any, error) {
		text, untrusted, err := exactly(value)
		if err != nil {
			return nil, err
		}
		result, err := b.spent(f(text), nil)
		return as(untrusted, result), err
	}
}

// joining makes a function of any values. Has says that what f adds has control
// characters.
func (b *budget) joining(f func(...any) string, has bool) func(...any) (any, error) {
	return func(args ...any) (any, error) {
		if err := b.spend(sizeOf(args)); err != nil {
			return nil, err
		}
		return b.join(args, has, f)
	}
}

// join has f make one text of several. When one of them is a Text, the result is one,
// unless that would escape the control characters that the template itself has put
// between them: then the Texts are escaped, and these stay.
func (b *budget) join(args []any, control bool, f func(...any) string) (any, error) {
	untrusted := slices.ContainsFunc(args, isUntrusted)
	if !untrusted || control || slices.ContainsFunc(args, hasControl) {
		return b.spent(f(args...), nil)
	}
	plain := slices.Clone(args)
	for i, arg := range plain {
		if text, ok := arg.(Text); ok {
			plain[i] = string(text)
		}
	}
	text, err := b.spent(f(plain...), nil)
	return Text(text), err
}

func isUntrusted(arg any) bool { _, ok := arg.(Text); return ok }

func hasControl(arg any) bool {
	text, ok := arg.(string)
	return ok && Text(text).String() != text
}

func (b *budget) printf(format string, args ...any) (any, error) {
	if err := b.spend(formatted(format, args)); err != nil {
		return nil, err
	}
	if b.strict {
		if err := misfit(format, args); err != nil {
			return nil, err
		}
	}
	return b.join(args, hasControl(format), func(args ...any) string { return fmt.Sprintf(format, args...) })
}

// misfit finds what package fmt writes in place of a value that a verb does not fit, or
// that is missing. It finds nothing when the values have such text themselves.
func misfit(format string, args []any) error {
	const mark = "%!"
	if strings.Contains(format, mark) || strings.Contains(fmt.Sprint(args...), mark) {
		return nil
	}
	_, misfit, found := strings.Cut(fmt.Sprintf(format, args...), mark)
	if !found {
		return nil
	}
	misfit, _, _ = strings.Cut(misfit, "=")
	return fmt.Errorf("the format %q does not fit its values: %%!%.40s; write %%s for a text and %%d for a number", format, misfit)
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
	return b.spent(template.URLQueryEscaper(plain...), nil)
}

// replace has the text last, for the end of a pipeline.
func (b *budget) replace(old, with, value any) (any, error) {
	from, _, err1 := exactly(old)
	to, untrusted1, err2 := exactly(with)
	text, untrusted2, err3 := exactly(value)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if from == "" {
		return nil, errors.New("there is nothing to replace")
	}
	if err := b.spend(len(text) + strings.Count(text, from)*(len(to)-len(from))); err != nil {
		return nil, err
	}
	return like(untrusted1 || untrusted2, strings.ReplaceAll(text, from, to)), nil
}

// defaultTo has the value last, for the end of a pipeline.
func defaultTo(otherwise, value any) any {
	if truth, ok := template.IsTrue(value); ok && truth {
		return value
	}
	return otherwise
}

// jsonOf writes texts as AppendJSON does.
func jsonOf(value any) (string, error) {
	switch v := value.(type) {
	case *View, *Gap, *Suppressed, *Instant:
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
	return "", fmt.Errorf("a %T has no JSON here", value)
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

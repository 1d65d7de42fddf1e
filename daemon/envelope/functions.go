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

var errText = fmt.Errorf("the text is longer than %d bytes", maxOutput)

// functions are what a template has beside those of text/template. The ones that
// can make a text longer, which a loop could repeat, have a limit.
func functions() template.FuncMap {
	return template.FuncMap{
		"json":    bounded1(jsonOf),
		"base64":  bounded1(func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }),
		"upper":   bounded1(func(s string) (string, error) { return strings.ToUpper(s), nil }),
		"lower":   bounded1(func(s string) (string, error) { return strings.ToLower(s), nil }),
		"trim":    strings.TrimSpace,
		"replace": replace,
		"default": defaultTo,
		"rfc3339": rfc3339,
		"unix":    unix,

		"print":    bounded(fmt.Sprint),
		"println":  bounded(fmt.Sprintln),
		"html":     bounded(template.HTMLEscaper),
		"js":       bounded(template.JSEscaper),
		"urlquery": bounded(template.URLQueryEscaper),
		"printf": func(format string, args ...any) (string, error) {
			return limit(fmt.Sprintf(format, args...))
		},
	}
}

func limit(s string) (string, error) {
	if len(s) > maxOutput {
		return "", errText
	}
	return s, nil
}

func bounded(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) { return limit(f(args...)) }
}

func bounded1[T any](f func(T) (string, error)) func(T) (string, error) {
	return func(arg T) (string, error) {
		s, err := f(arg)
		if err != nil {
			return "", err
		}
		return limit(s)
	}
}

// jsonOf writes texts as AppendJSON does.
func jsonOf(value any) (string, error) {
	switch v := value.(type) {
	case *View, *Gap, *Suppressed, *Instant:
		return jsonOfOurs(v.(fmt.Stringer)), nil
	case string:
		return string(appendQuoted(nil, v)), nil
	case map[string]string:
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

func appendObject(dst []byte, m map[string]string) []byte {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, name), ':')
		dst = appendQuoted(dst, m[name])
	}
	return append(dst, '}')
}

// replace has the text last, for the end of a pipeline.
func replace(old, with, text string) (string, error) {
	if old == "" {
		return "", errors.New("there is nothing to replace")
	}
	if len(text)+strings.Count(text, old)*(len(with)-len(old)) > maxOutput {
		return "", errText
	}
	return strings.ReplaceAll(text, old, with), nil
}

// defaultTo has the value last, for the end of a pipeline.
func defaultTo(otherwise, value any) any {
	if truth, ok := template.IsTrue(value); ok && truth {
		return value
	}
	return otherwise
}

func rfc3339(i *Instant) (string, error) {
	if i == nil {
		return "", errNoTime
	}
	return i.Format(time.RFC3339), nil
}

func unix(i *Instant) (int64, error) {
	if i == nil {
		return 0, errNoTime
	}
	return i.Unix(), nil
}

var errNoTime = errors.New("the time is not known")

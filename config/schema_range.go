// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A schema knows ranges of numbers; those of texts it must spell out as regular
// expressions. All of ours are of what RE2 has in common with ECMA 262, which editors
// use.

// sizeSchema takes exactly the sizes within the limits of a tag.
func sizeSchema(tag reflect.StructTag) (name string, s object) {
	least, most := limitsOf[Size](tag)
	var forms []string
	for _, u := range sizeUnits {
		if number := multiples(least, most, int64(u.bytes)); number != "" {
			forms = append(forms, number+u.name)
		}
	}
	s = object{
		"type":                []string{"string", "integer"},
		"minimum":             least,
		"pattern":             "^" + oneOfPatterns(forms) + "$",
		"patternErrorMessage": "Write a size " + rangeOf(tag) + ", in bytes, kB, MB, GB, KiB, MiB or GiB.",
	}
	if most < math.MaxInt64 {
		s["maximum"] = most
	}
	return "size-" + rangeName(tag), s
}

// What time.ParseDuration reads.
const (
	durationUnit     = `(?:[mnuµμ]?s|m|h)`
	durationFraction = `(?:[0-9]+\.[0-9]*|\.[0-9]+)`
	durationNumber   = `(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)`
)

// durationSchema takes exactly the whole numbers of h, m, s or ms within the limits of a
// tag. Of a duration of several units, with a fraction or below 1ms it knows the form
// alone.
func durationSchema(tag reflect.StructTag) (name string, s object) {
	least, most := limitsOf[Duration](tag)
	var forms []string
	for _, u := range []struct {
		name   string
		length time.Duration
	}{
		{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
	} {
		if number := multiples(least, most, int64(u.length)); number != "" {
			forms = append(forms, number+u.name)
		}
	}
	forms = []string{
		`\+?0*` + oneOfPatterns(forms),
		`\+?[0-9]+[nuµμ]s`,
		`\+?(?:[0-9]+` + durationUnit + durationNumber + `|` + durationFraction + `)` + durationUnit +
			`(?:` + durationNumber + durationUnit + `)*`,
	}
	s = object{"type": "string"}
	if least == 0 {
		forms = append(forms, `[+-]?0`, `-(?:(?:0+(?:\.[0-9]*)?|\.[0-9]+)`+durationUnit+`)+`)
		s = object{"type": []string{"string", "integer"}, "minimum": 0, "maximum": 0}
	}
	s["pattern"] = "^" + oneOfPatterns(forms) + "$"
	s["patternErrorMessage"] = "Write a duration " + rangeOf(tag) + ", in ms, s, m or h, like 1h30m."
	return "duration-" + rangeName(tag), s
}

// fileModeSchema takes the digits as text. A number may be what YAML 1.1 makes of them,
// or YAML 1.2.
func fileModeSchema() object {
	return object{
		"type": []string{"string", "integer"}, "minimum": 0, "maximum": 777,
		"pattern":             "^0?[0-7]{3}$",
		"patternErrorMessage": "Write three octal digits after a 0, like 0640.",
	}
}

// limitsOf is 0 and the largest 64-bit number where a tag has no limit.
func limitsOf[T Size | Duration](tag reflect.StructTag) (least, most int64) {
	most = math.MaxInt64
	t := reflect.New(reflect.TypeFor[T]()).Elem()
	if text := tag.Get("min"); text != "" {
		least = limit(t, text).Int()
	}
	if text := tag.Get("max"); text != "" {
		most = limit(t, text).Int()
	}
	return least, most
}

func rangeOf(tag reflect.StructTag) string {
	least, most := cmp.Or(tag.Get("min"), "0"), tag.Get("max")
	if most == "" {
		return "of " + least + " or more"
	}
	return "from " + least + " to " + most
}

func rangeName(tag reflect.StructTag) string {
	return strings.TrimSuffix(cmp.Or(tag.Get("min"), "0")+"-"+tag.Get("max"), "-")
}

// multiples matches the numbers of units between least and most; it is empty if there
// is none. Where only 63 bits are the limit, it is rounded up to full digits.
func multiples(least, most, unit int64) string {
	lo, hi := uint64(least/unit), uint64(most/unit)
	if least%unit != 0 {
		lo++
	}
	if lo > hi {
		return ""
	}
	if most == math.MaxInt64 {
		hi = powerOfTen(len(strconv.FormatUint(hi, 10))) - 1
	}
	return oneOfPatterns(digits(lo, hi))
}

// digits are patterns for the decimal numbers from lo to hi, without zeros before them.
// hi has at most 19 digits. Each pattern is for all numbers that have a prefix, then one
// of several digits, and then any.
func digits(lo, hi uint64) []string {
	var parts []string
	if lo == 0 {
		parts, lo = append(parts, "0"), 1
	}
	for lo <= hi {
		free := 0
		for lo%powerOfTen(free+1) == 0 && lo+powerOfTen(free+1)-1 <= hi {
			free++
		}
		step := powerOfTen(free)
		first := lo / step % 10
		last := min(9, first+(hi-lo+1)/step-1)
		next, most := lo+(last-first+1)*step, free
		for lo == step && next <= (hi+1)/10 { // all longer numbers too
			next, most = next*10, most+1
		}
		parts = append(parts, prefix(lo/step/10)+digit(first, last)+anyDigits(free, most))
		lo = next
	}
	return parts
}

func powerOfTen(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

func prefix(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func digit(first, last uint64) string {
	if first == last {
		return strconv.FormatUint(first, 10)
	}
	return fmt.Sprintf("[%d-%d]", first, last)
}

func anyDigits(least, most int) string {
	switch {
	case most == 0:
		return ""
	case most == 1 && least == 1:
		return "[0-9]"
	case least != most:
		return fmt.Sprintf("[0-9]{%d,%d}", least, most)
	}
	return fmt.Sprintf("[0-9]{%d}", least)
}

func oneOfPatterns(patterns []string) string {
	return "(?:" + strings.Join(patterns, "|") + ")"
}

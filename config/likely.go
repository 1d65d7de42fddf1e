// SPDX-License-Identifier: Apache-2.0

package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// isOff reports whether a word means that a function is not wanted.
func isOff(word string) bool {
	switch strings.ToLower(word) {
	case "off", "no", "n", "false", "none", "never", "disabled", "disable", "null", "nil", "unlimited", "infinite":
		return true
	}
	return false
}

// isOn reports whether a word means that a function is wanted.
func isOn(word string) bool {
	switch strings.ToLower(word) {
	case "on", "yes", "y", "true", "enabled", "enable":
		return true
	}
	return false
}

var (
	durationPart = regexp.MustCompile(`^\s*([0-9]+(?:[.,][0-9]+)?)\s*([a-zµ]+)`)
	clockTime    = regexp.MustCompile(`^[0-9]+:[0-9]{2}(:[0-9]{2})?$`)
)

var durationWords = map[string]time.Duration{
	"ms": time.Millisecond, "msec": time.Millisecond, "millisecond": time.Millisecond, "milli": time.Millisecond,
	"us": time.Microsecond, "µs": time.Microsecond, "usec": time.Microsecond, "microsecond": time.Microsecond,
	"ns": 1, "s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour,
	"mo": 30 * 24 * time.Hour, "month": 30 * 24 * time.Hour, "y": 365 * 24 * time.Hour, "year": 365 * 24 * time.Hour,
}

// likelyDuration reads what other programs accept as a duration, such as 1d, "5 min" or
// PT5M. Overflow reports that it is a duration, but a longer one than there is.
func likelyDuration(text string) (d Duration, ok, overflow bool) {
	rest := strings.ToLower(strings.TrimPrefix(text, "+"))
	if iso := strings.ToUpper(text); strings.HasPrefix(iso, "P") {
		rest = strings.NewReplacer("p", "", "t", "").Replace(rest)
	}
	sum := 0.0
	for strings.TrimSpace(rest) != "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, false, false
		}
		unit, known := durationWords[m[2]]
		if !known {
			unit, known = durationWords[strings.TrimSuffix(m[2], "s")]
		}
		n, err := strconv.ParseFloat(strings.Replace(m[1], ",", ".", 1), 64)
		if err != nil || !known {
			return 0, false, math.IsInf(n, 0)
		}
		sum += n * float64(unit)
		rest = rest[len(m[0]):]
	}
	if sum >= math.MaxInt64 {
		return 0, false, true
	}
	return Duration(time.Duration(sum).Round(time.Microsecond)), sum > 0, false
}

var sizePart = regexp.MustCompile(`^([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-zA-Z]*)$`)

// sizeWords has the units of other programs, with the factor and the base of each. One
// without a "b" may have either base.
var sizeWords = map[string][]float64{
	"": {1}, "b": {1}, "byte": {1}, "bytes": {1},
	"k": {1 << 10, 1e3}, "kb": {1e3}, "ki": {1 << 10}, "kib": {1 << 10},
	"m": {1 << 20, 1e6}, "mb": {1e6}, "mi": {1 << 20}, "mib": {1 << 20},
	"g": {1 << 30, 1e9}, "gb": {1e9}, "gi": {1 << 30}, "gib": {1 << 30},
	"t": {1 << 40, 1e12}, "tb": {1e12}, "ti": {1 << 40}, "tib": {1 << 40},
	"p": {1 << 50, 1e15}, "pb": {1e15}, "pi": {1 << 50}, "pib": {1 << 50},
}

// likelySizes reads what other programs accept as a size, such as 1TiB, 1G or 1_000.
// Overflow reports that it is a size, but a larger one than there is.
func likelySizes(text string) (sizes []string, overflow bool) {
	m := sizePart.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return nil, false
	}
	units, ok := sizeWords[strings.ToLower(m[2])]
	n, err := strconv.ParseFloat(strings.NewReplacer("_", "", ",", "").Replace(m[1]), 64)
	if !ok || err != nil {
		return nil, ok && math.IsInf(n, 0)
	}
	for _, unit := range units {
		if n*unit >= math.MaxInt64 {
			return nil, true
		}
		sizes = append(sizes, sizeText(Size(n*unit), math.Mod(unit, 1000) == 0))
	}
	return sizes, false
}

// sizeText writes a size with the largest unit that fits, of those that are powers of
// ten or of those that are powers of two.
func sizeText(s Size, decimal bool) string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 && (u.bytes == 1 || (u.bytes%1000 == 0) == decimal) {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return s.String()
}

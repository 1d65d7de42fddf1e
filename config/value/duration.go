// SPDX-License-Identifier: Apache-2.0

package value

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/genltestd/genltestd/config/strict"
)

// Duration is a time.Duration that is written as "30s", "1h30m" or "0".
type Duration time.Duration

// UnmarshalText accepts the texts of time.ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := time.ParseDuration(s)
	if err == nil {
		*d = Duration(v)
		return nil
	}
	return durationError(s)
}

var bareNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

func durationError(s string) error {
	likely, ok, overflow := likelyDuration(s)
	switch {
	case bareNumber.MatchString(s):
		return fmt.Errorf("%s lacks a unit; write %s for seconds", strict.Quote(s), strict.Quote(s+"s"))
	case overflow:
		return &strict.RangeError{Text: s, Most: Duration(time.Duration(math.MaxInt64).Truncate(time.Hour)).String()}
	case ok:
		return &strict.LikelyError{Text: s, What: "a duration", Likely: []string{likely.String()}}
	case clockTime.MatchString(s):
		return fmt.Errorf("%s is a time of day; write a duration like 100ms, 30s or 1h30m", strict.Quote(s))
	case strict.IsOff(s):
		return &strict.OffError{Text: s, What: "a duration", Off: "0"}
	}
	if m := missingUnit.FindStringSubmatch(s); m != nil {
		unit := map[string]string{"h": "m", "m": "s"}[s[len(s)-len(m[1])-1:len(s)-len(m[1])]]
		return fmt.Errorf("%s has a number without a unit; write one after %s, as in %s",
			strict.Quote(s), m[1], strict.Quote(s+cmp.Or(unit, "ms")))
	}
	return fmt.Errorf("%s is not a duration; write one like 100ms, 30s or 1h30m", strict.Quote(s))
}

// missingUnit matches a number at the end.
var missingUnit = regexp.MustCompile(`^(?:[0-9.]+(?:ns|us|µs|ms|s|m|h))+([0-9]+)$`)

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the text of time.Duration without zeros at its end: 1h, not 1h0m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Describe implements strict.Described.
func (Duration) Describe() strict.Description {
	return strict.Description{Type: "duration", Unit: "ms, s, m, h", Schema: map[string]any{
		"type":                []string{"string", "integer"},
		"pattern":             durationPattern,
		"patternErrorMessage": "Write a duration in ms, s, m or h, like 1h30m.",
		"minimum":             0, "maximum": 0, // a number without a unit
	}}
}

const durationPattern = `^[-+]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[mnuµμ]?s|m|h))+)$`

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

// likelyDuration accepts the durations of other programs, such as 1d, "5 min" or PT5M.
// Overflow reports a duration that is too long for the type.
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

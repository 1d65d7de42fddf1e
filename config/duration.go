// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

// Duration is a time.Duration that reads "30s", "1h30m" or "0".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration does.
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
		return fmt.Errorf("%s has no unit; write %s for seconds", quote(s), quote(s+"s"))
	case overflow:
		return &rangeError{s, Duration(time.Duration(math.MaxInt64).Truncate(time.Hour)).String()}
	case ok:
		return &likelyError{s, "a duration", []string{likely.String()}}
	case clockTime.MatchString(s):
		return fmt.Errorf("%s is a time of day; write a duration like 100ms, 30s or 1h30m", quote(s))
	case isOff(s):
		return &offError{s, "a duration", "0"}
	}
	if m := missingUnit.FindStringSubmatch(s); m != nil {
		return fmt.Errorf("%s has a number without a unit; write one after %s, as in %s", quote(s), m[1], quote(s+"ms"))
	}
	return fmt.Errorf("%s is not a duration; write one like 100ms, 30s or 1h30m", quote(s))
}

// missingUnit matches a number at the end.
var missingUnit = regexp.MustCompile(`^(?:[0-9.]+(?:ns|us|µs|ms|s|m|h))+([0-9]+)$`)

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is time.Duration's, without the zeros at its end: 1h, not 1h0m0s.
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

// SPDX-License-Identifier: Apache-2.0

package value

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
)

// Size is a number of bytes that is written as "64MiB", "10MB" or "1048576".
type Size int64

// The order is String's preference: the largest unit first, and powers of two
// before powers of ten. The empty unit fits every size.
var sizeUnits = []struct {
	name  string
	bytes Size
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"", 1},
}

// UnmarshalText accepts decimal digits with or without a unit. It rejects zeros before other
// digits, which YAML reads as another number.
func (s *Size) UnmarshalText(text []byte) error {
	t := string(text)
	digits := strings.TrimRight(t, "kKMGiB")
	for _, u := range sizeUnits {
		if digits+u.name != t {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || strconv.FormatUint(n, 10) != digits {
			break
		}
		if Size(n) > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n) * u.bytes
		return nil
	}
	return sizeError(t)
}

func sizeError(t string) error {
	likely, overflow := likelySizes(t)
	switch {
	case overflow:
		return &strict.RangeError{Text: t, Most: strconv.FormatInt(math.MaxInt64>>30, 10) + "GiB"}
	case len(likely) > 0:
		return &strict.LikelyError{Text: t, What: "a size", Likely: likely}
	case strict.IsOff(t):
		return &strict.OffError{Text: t, What: "a size", Off: "0"}
	}
	return fmt.Errorf("%s is not a size; write bytes, or a whole number with kB, MB, GB, KiB, MiB or GiB, like 64MiB", strict.Quote(t))
}

// MarshalText is the inverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String uses the largest unit of which the size is a multiple.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0"
}

// Describe implements strict.Described.
func (Size) Describe() strict.Description {
	return strict.Description{Type: "size", Unit: "bytes, kB, MB, GB, KiB, MiB, GiB", Schema: map[string]any{
		"type":                []string{"string", "integer"},
		"minimum":             0,
		"pattern":             `^[0-9]+(?:[kMG]B|[KMG]iB)?$`,
		"patternErrorMessage": "Write a size in bytes, kB, MB, GB, KiB, MiB or GiB.",
	}}
}

var sizePart = regexp.MustCompile(`^([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-zA-Z]*)$`)

// sizeWords contains the units of other programs with their factors. A unit without a "b"
// can mean either base.
var sizeWords = map[string][]float64{
	"": {1}, "b": {1}, "byte": {1}, "bytes": {1},
	"k": {1 << 10, 1e3}, "kb": {1e3}, "ki": {1 << 10}, "kib": {1 << 10},
	"m": {1 << 20, 1e6}, "mb": {1e6}, "mi": {1 << 20}, "mib": {1 << 20},
	"g": {1 << 30, 1e9}, "gb": {1e9}, "gi": {1 << 30}, "gib": {1 << 30},
	"t": {1 << 40, 1e12}, "tb": {1e12}, "ti": {1 << 40}, "tib": {1 << 40},
	"p": {1 << 50, 1e15}, "pb": {1e15}, "pi": {1 << 50}, "pib": {1 << 50},
}

// likelySizes accepts the sizes of other programs, such as 1TiB, 1G or 1_000. Overflow
// reports a size that is too large for the type.
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

// SPDX-License-Identifier: Apache-2.0

package strict

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// An OffError rejects a word like "off". Another text switches the value off.
type OffError struct {
	Text string
	What string // such as "a size"
	Off  string // the text that switches it off
}

// Error implements error.
func (e *OffError) Error() string { return fmt.Sprintf("%s is not %s", Quote(e.Text), e.What) }

// A RangeError rejects a value that its type cannot hold.
type RangeError struct{ Text, Most string }

// Error implements error.
func (e *RangeError) Error() string {
	return fmt.Sprintf("%s is out of range; write at most %s", Quote(e.Text), e.Most)
}

// A LikelyError rejects a text that has another form in our language.
type LikelyError struct {
	Text, What string
	Likely     []string // what to write
}

// Error implements error.
func (e *LikelyError) Error() string {
	return fmt.Sprintf("%s is not %s; write %s", Quote(e.Text), e.What, quotedOr(e.Likely))
}

func quotedOr(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(word)
	}
	return strings.Join(quoted, " or ")
}

// valueError is the error of a value with a remedy within the limits of its key.
func valueError(v reflect.Value, tag reflect.StructTag, err error) error {
	var (
		off    *OffError
		wide   *RangeError
		likely *LikelyError
	)
	switch {
	case errors.As(err, &off) && !within(v, tag, off.Off):
		return fmt.Errorf("%w, and this key cannot be switched off; write %s", err, limits(tag))
	case errors.As(err, &off):
		return fmt.Errorf("%w; write %s", err, off.Off)
	case errors.As(err, &wide) && tag.Get("min") != "":
		most := cmp.Or(tag.Get("max"), wide.Most)
		return fmt.Errorf("%s is out of range; write %s to %s", Quote(wide.Text), tag.Get("min"), most)
	case errors.As(err, &likely):
		fitting := slices.DeleteFunc(slices.Clone(likely.Likely), func(text string) bool { return !within(v, tag, text) })
		if len(fitting) == 0 {
			return fmt.Errorf("%s is out of range; write %s", Quote(likely.Text), limits(tag))
		}
		return &LikelyError{likely.Text, likely.What, fitting}
	}
	return err
}

// within reports whether a text is a value of the type of v within the limits of a tag.
func within(v reflect.Value, tag reflect.StructTag, text string) bool {
	value := reflect.New(v.Type()).Elem()
	if setText(value, tag, text) != nil {
		return false
	}
	least, hasLeast := tag.Lookup("min")
	most, hasMost := tag.Lookup("max")
	return (!hasLeast || value.Int() >= limit(v, least).Int()) && (!hasMost || value.Int() <= limit(v, most).Int())
}

// limits are those of a tag, as a remedy.
func limits(tag reflect.StructTag) string {
	least, most := tag.Get("min"), tag.Get("max")
	if most == "" {
		return least + " or more"
	}
	return least + " to " + most
}

// A WordError rejects a text that is not one of a closed list of words.
type WordError struct {
	Text  string
	Fault string // such as "is not known"
	Words []string
}

// Error names all words.
func (e *WordError) Error() string {
	last := len(e.Words) - 1
	return fmt.Sprintf("%s %s; write %s or %s", Quote(e.Text), e.Fault, strings.Join(e.Words[:last], ", "), e.Words[last])
}

// IsOff reports whether a word means that a function is not wanted.
func IsOff(word string) bool {
	switch strings.ToLower(word) {
	case "off", "no", "n", "false", "none", "never", "disabled", "disable", "null", "nil", "unlimited", "infinite":
		return true
	}
	return false
}

// IsOn reports whether a word means that a function is wanted.
func IsOn(word string) bool {
	switch strings.ToLower(word) {
	case "on", "yes", "y", "true", "enabled", "enable":
		return true
	}
	return false
}

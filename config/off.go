// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// An offError rejects a word like "off" for a value that another text switches off.
type offError struct{ text, what, off string }

func (e *offError) Error() string { return fmt.Sprintf("%s is not %s", quote(e.text), e.what) }

// A rangeError rejects a value that its type cannot hold.
type rangeError struct{ text, most string }

func (e *rangeError) Error() string {
	return fmt.Sprintf("%s is out of range; write at most %s", quote(e.text), e.most)
}

// A likelyError rejects a text that has another form in our language.
type likelyError struct {
	text, what string
	likely     []string
}

func (e *likelyError) Error() string {
	return fmt.Sprintf("%s is not %s; write %s", quote(e.text), e.what, quotedOr(e.likely))
}

func quotedOr(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " or ")
}

// valueError is the error of a value with a remedy within the limits of its key.
func valueError(v reflect.Value, tag reflect.StructTag, err error) error {
	var (
		off    *offError
		wide   *rangeError
		likely *likelyError
	)
	switch {
	case errors.As(err, &off) && !within(v, tag, off.off):
		return fmt.Errorf("%w, and this key cannot be switched off; write %s", err, limits(tag))
	case errors.As(err, &off):
		return fmt.Errorf("%w; write %s", err, off.off)
	case errors.As(err, &wide) && tag.Get("min") != "":
		most := cmp.Or(tag.Get("max"), wide.most)
		return fmt.Errorf("%s is out of range; write %s to %s", quote(wide.text), tag.Get("min"), most)
	case errors.As(err, &likely):
		fitting := slices.DeleteFunc(slices.Clone(likely.likely), func(text string) bool { return !within(v, tag, text) })
		if len(fitting) == 0 {
			return fmt.Errorf("%s is out of range; write %s", quote(likely.text), limits(tag))
		}
		return &likelyError{likely.text, likely.what, fitting}
	}
	return err
}

// within reports whether a text is a value of the type of v within the limits of a tag.
func within(v reflect.Value, tag reflect.StructTag, text string) bool {
	value := reflect.New(v.Type()).Elem()
	if setText(value, text) != nil {
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

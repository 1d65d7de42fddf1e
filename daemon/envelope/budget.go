// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// maxOutput is the length of the result for one event, and of each text on the way
	// there.
	maxOutput = 1 << 20
	// maxCopied is the length of all those texts together.
	maxCopied = 8 << 20
	// maxLooped is how much of the template's own text the turns of its loops may pass.
	maxLooped = 1 << 20
	// maxWidth is the widest that package fmt makes a value.
	maxWidth = 1_000_000
)

var (
	errText   = fmt.Errorf("the text is longer than %d bytes", maxOutput)
	errCopied = fmt.Errorf("the template makes more than %d bytes of texts for one event", maxCopied)
	errLooped = errors.New("the loops have too many turns for one event; put less into a range")
)

// A budget is what the functions and loops of a template may still do for one event: it
// bounds the time and memory that a template takes, whatever it is.
type budget struct {
	copies, loops int
	strict        bool // printf fails for a format that does not fit its values
}

func (b *budget) reset() { b.copies, b.loops = maxCopied, maxLooped }

func (b *budget) spend(n int) error {
	if n > maxOutput {
		return errText
	}
	if b.copies -= n; b.copies < 0 {
		return errCopied
	}
	return nil
}

// turn is called by each turn of a loop, with the length of its body.
func (b *budget) turn(n int) (string, error) {
	if b.loops -= n; b.loops < 0 {
		return "", errLooped
	}
	return "", nil
}

// spent spends the length of a result.
func (b *budget) spent(text string, err error) (string, error) {
	if err == nil {
		err = b.spend(len(text))
	}
	if err != nil {
		return "", err
	}
	return text, nil
}

// sizeOf is the length of all texts in args, before they are copied.
func sizeOf(args []any) (n int) {
	for _, arg := range args {
		n += lengthOf(arg)
	}
	return n
}

func lengthOf(arg any) int {
	text, _, _ := exactly(arg) // other values are short
	return len(text)
}

// formatted is at least the length of what fmt makes of a format: it has each argument
// as often as there are verbs, and each number as a width.
func formatted(format string, args []any) int {
	longest := 0
	for _, arg := range args {
		longest = max(longest, lengthOf(arg))
	}
	n := len(format) + strings.Count(format, "%")*longest + strings.Count(format, "*")*maxWidth
	for _, digits := range strings.FieldsFunc(format, func(r rune) bool { return r < '0' || r > '9' }) {
		width, err := strconv.Atoi(digits)
		if err != nil {
			width = maxWidth
		}
		n += min(width, maxWidth)
	}
	return n
}

// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// maxOutput is the maximum length of the result for one event, and of each
	// intermediate text.
	maxOutput = 1 << 20
	// maxCopied is the maximum total length of the intermediate texts.
	maxCopied = 8 << 20
	// maxLooped is the maximum total length of the loop bodies that are executed.
	maxLooped = 1 << 20
	// maxWidth is the maximum width of a value in package fmt.
	maxWidth = 1_000_000
)

var (
	errText   = fmt.Errorf("the text is longer than %d bytes", maxOutput)
	errCopied = fmt.Errorf("the template creates more than %d bytes of texts for one event", maxCopied)
	errLooped = errors.New("the loops have too many iterations for one event; shorten the ranges")
)

// A budget limits the work of a template's functions and loops for one event, and
// thereby the time and memory of any template.
type budget struct {
	copies, loops int
	strict        bool // printf fails if the format does not match its values
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

// iterate is called at each iteration of a loop, with the length of its body.
func (b *budget) iterate(n int) (string, error) {
	if b.loops -= n; b.loops < 0 {
		return "", errLooped
	}
	return "", nil
}

// spendResult spends the length of a result.
func (b *budget) spendResult(text string, err error) (string, error) {
	if err == nil {
		err = b.spend(len(text))
	}
	if err != nil {
		return "", err
	}
	return text, nil
}

// sizeOf returns the total length of the texts in args.
func sizeOf(args []any) (n int) {
	for _, arg := range args {
		n += lengthOf(arg)
	}
	return n
}

func lengthOf(arg any) int {
	text, _, _ := textOf(arg) // other values are short
	return len(text)
}

// formattedSize returns an upper bound for the length of a formatted text: each
// argument once per verb, and each number as a width.
func formattedSize(format string, args []any) int {
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

// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"

	"github.com/genltestd/genltestd/daemon/event"
)

// An Error says which of the Options does not work, and why: of Compile for good,
// of Judge for one event. Its text is safe to show and short, whatever the
// expression or the event holds.
type Error struct {
	Key string // as in the configuration, below the sink's: "filter", "extract", "dedup.key"
	Err error
}

func (e *Error) Error() string { return e.Key + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// maxShown is how many bytes of an error are shown: it may repeat an event's text.
const maxShown = 300

// readable says where in the expression err stands, as people count.
func readable(err error) error {
	var at *file.Error
	if !errors.As(err, &at) || at.Line == 0 {
		return errors.New(visible(err.Error()))
	}
	place := fmt.Sprintf("column %d", at.Column+1)
	if at.Line > 1 {
		place = fmt.Sprintf("line %d, %s", at.Line, place)
	}
	return fmt.Errorf("%s: %s", place, visible(at.Message))
}

func visible(text string) string {
	shown := event.AppendVisible(nil, []byte(text[:min(len(text), maxShown)]))
	if len(shown) <= maxShown && len(text) <= maxShown {
		return string(shown)
	}
	end := min(len(shown), maxShown)
	for end > 0 && end < len(shown) && !utf8.RuneStart(shown[end]) {
		end--
	}
	return string(shown[:end]) + "…"
}

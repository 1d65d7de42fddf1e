// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/daemon/event"
)

// A RefusalKind classifies permanent errors for programs. The error's text is for people
// and may change; a kind does not.
type RefusalKind string

// The kinds of refusals. docs/genltestctl.md describes them, and a test compares the two.
const (
	RefusedHTTPStatus RefusalKind = "http_status" // the status of an HTTP response
	RefusedExitStatus RefusalKind = "exit_status" // the exit status of a program
	RefusedByProgram  RefusalKind = "rejected"    // a program's answer in stream mode
	RefusedByBroker   RefusalKind = "broker"      // a broker's answer about this message
	RefusedTooLarge   RefusalKind = "too_large"   // the message exceeds the limit of its transport
	RefusedEncode     RefusalKind = "encode"      // the envelope cannot be made of this event
	RefusedOther      RefusalKind = "other"       // any other permanent error
)

// RefusalKinds returns every kind.
func RefusalKinds() []RefusalKind {
	return []RefusalKind{
		RefusedHTTPStatus, RefusedExitStatus, RefusedByProgram, RefusedByBroker, RefusedTooLarge, RefusedEncode, RefusedOther,
	}
}

// A Refusal is the machine-readable part of a permanent error.
type Refusal struct {
	Kind   RefusalKind
	Status int // of HTTP, or of the program's exit; 0 for the other kinds
}

// Mark returns err with the refusal attached, for RefusalOf.
func (r Refusal) Mark(err error) error { return &refusal{err, r} }

// Refuse returns the permanent error of one event.
func Refuse(kind RefusalKind, e *event.Event, err error) error {
	return Permanent(Refusal{Kind: kind}.Mark(fmt.Errorf("event %s: %w", e.ID(), err)))
}

type refusal struct {
	err     error
	refusal Refusal
}

func (e *refusal) Error() string { return e.err.Error() }
func (e *refusal) Unwrap() error { return e.err }

// Distinct implements ratelog.Distinct: texts that differ in the status alone are of
// different kinds.
func (e *refusal) Distinct() string { return fmt.Sprint(e.refusal.Kind, " ", e.refusal.Status) }

// RefusalOf returns what Mark has attached to err, or a refusal of the kind other.
func RefusalOf(err error) Refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r.refusal
	}
	return Refusal{Kind: RefusedOther}
}

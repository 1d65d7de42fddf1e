// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

const (
	maxError = 400 // bytes of an error of the server that are shown
	maxName  = 100 // bytes of a subject in an error
)

// A verdict is the meaning of an error of the server.
type verdict string

const (
	retry     verdict = "retry"
	permanent verdict = "dead letter"
	alone     verdict = "one at a time" // not an error: the sink publishes without a batch
)

// A fault is one row of the table of errors.
type fault struct {
	codes   []int // err_code of JetStream; empty for the last row, which applies to all others
	verdict verdict
	refusal sink.RefusalKind // with permanent
	why     string
}

// faults is the whole policy about errors of JetStream. docs/sinks/nats.md shows it, and a test
// compares the two. Only an error about this particular event is permanent.
var faults = []fault{
	{[]int{10054, 10097}, permanent, sink.RefusedTooLarge, "the message exceeds `max_msg_size` of the stream, or its headers 64 KiB"},
	{[]int{10077}, retry, "", "the stream cannot store: it is full with `discard: new` (maximum bytes or messages exceeded), " +
		"or the disk is. Delete messages or raise the limit"},
	{[]int{10002, 10023, 10028, 10047, 10120, 10122}, retry, "", "the account or the server has reached a limit of memory or disk. " +
		"Raise `max_file_store` or the limits of the account"},
	{[]int{10158}, retry, "", "the stream is about to store an earlier copy of the same event"},
	{[]int{10060, 10063, 10070, 10071, 10164}, retry, "", "the stream has another state or name than expected: its leader has changed"},
	{[]int{10167, 10208}, retry, "", "the server has dropped messages because it was too busy, or has forgotten the batch"},
	{[]int{10205, 10206, 10207, 10211}, alone, "", "the stream does not allow batches, or no further batch at present"},
	{[]int{10035, 10039, 10076}, retry, "", "JetStream is not enabled on the server or for the account"},
	{[]int{10008, 10009, 10118, 10194}, retry, "", "the cluster elects a leader at present, or the stream is offline"},
	{[]int{10109}, retry, "", "the stream is sealed; publish to another one"},
	{[]int{10058, 10065}, retry, "", "the stream cannot be created: its name or subjects belong to another stream"},
	{nil, retry, "", "any other error: in doubt, events are kept"},
}

// serverError is an error of JetStream.
type serverError struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *serverError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.Code) }

// row returns the row of the table that applies.
func (e *serverError) row() *fault {
	i := slices.IndexFunc(faults, func(f fault) bool { return len(f.codes) == 0 || slices.Contains(f.codes, e.Code) })
	return &faults[i]
}

// fault returns the error with its class.
func (e *serverError) fault() error {
	row := e.row()
	if e.Code == 10077 && strings.Contains(e.Description, "too large") {
		row = &faults[0] // the limit of the file that stores messages
	}
	if row.verdict == permanent {
		return sink.Permanent(sink.Refusal{Kind: row.refusal}.Mark(e))
	}
	if len(row.codes) == 0 {
		return e
	}
	return fmt.Errorf("%w: %s", e, strings.ReplaceAll(row.why, "`", ""))
}

func isAuthorization(err error) bool {
	for _, target := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// explainConnect adds the server and the remedy to an error of a connection attempt.
func (s *Sink) explainConnect(address value.Address, a *access, err error) error {
	switch {
	case errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("%s: the authorization of %s has expired; renew it", address, a.who)
	case isAuthorization(err):
		return fmt.Errorf("%s: authorization failed for %s; check the credentials, or the users of the server", address, a.who)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("%s: the server does not offer TLS; write nats://, or enable TLS there", address)
	}
	return s.wrap("connect to "+string(address), err)
}

// wrap adds context to an error, keeps its class, and removes secrets and control characters.
func (s *Sink) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	text := s.env.Mask.Clean(strings.TrimPrefix(err.Error(), "nats: "), maxError)
	return sink.WithText(what+": "+text, err)
}

// explain adds the remedy to an error of publishing.
func (s *Sink) explain(subject string, err error) error {
	var refused *serverError
	what := fmt.Sprintf("publish %s to %s", s.env.Mask.Clean(subject, maxName), s.link.address)
	switch {
	case errors.As(err, &refused):
		return s.wrap(what, refused.fault())
	case errors.Is(err, errNoResponders):
		return s.wrap(what, fmt.Errorf("%w, or the stream elects a leader at present; create a stream for it, or add the key stream", err))
	case errors.Is(err, nats.ErrPermissionViolation):
		return s.wrap(what, fmt.Errorf("%w; allow %s to publish it and to subscribe to %s.>", err, s.link.access.who, s.config.InboxPrefix))
	}
	return s.wrap(what, err)
}

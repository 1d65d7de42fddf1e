// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
)

// takeoverDelay limits how often two clients with the same id end each other's connections.
const takeoverDelay = 10 * time.Second

// takeovers detects another client with the same client id. A broker that accepts such a client
// ends the earlier connection, with the reason "session taken over" or, like mosquitto 2.0,
// without a reason.
type takeovers struct {
	closed int // connections in a row that the broker has ended without a reason
}

// maxClosed is the number of such connections that does not make another client likely.
const maxClosed = 2

// evaluate returns err, the reason for which a link has ended, with a delay if another client may
// be the cause.
func (t *takeovers) evaluate(l *link, err error) error {
	switch {
	case hasCode(l.err, codeTakenOver):
		return sink.RetryAfter(takeoverDelay, err)
	case !errors.Is(l.err, io.EOF) || time.Since(l.born) > l.keepAlive:
		t.closed = 0
		return err
	}
	if t.closed++; t.closed <= maxClosed {
		return err
	}
	return sink.RetryAfter(takeoverDelay, fmt.Errorf("%w; the broker has ended %d connections in a row without a reason; "+
		"if another client uses the same client id, set another client_id for one of the two, else read the broker's log", err, t.closed))
}

// reset is called when a broker does not accept a connection, as it would after a takeover.
func (t *takeovers) reset() { t.closed = 0 }

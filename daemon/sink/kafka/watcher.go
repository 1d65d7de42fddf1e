// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/redact"
)

// A watcher remembers why the client makes no progress: the client retries by itself, and
// reports the reason only in its log. Its log is not written anywhere else.
type watcher struct {
	log  *ratelog.Logger
	mask *redact.Mask

	detailed atomic.Bool // read the answers to single batches too

	mu    sync.Mutex
	fault error
}

var (
	_ kgo.Logger             = (*watcher)(nil)
	_ kgo.HookBrokerConnect  = (*watcher)(nil)
	_ kgo.HookBrokerRead     = (*watcher)(nil)
	_ kgo.HookBrokerThrottle = (*watcher)(nil)
)

// Level implements kgo.Logger. The answers to batches are part of the most detailed level,
// which costs time for each request.
func (w *watcher) Level() kgo.LogLevel {
	if w.detailed.Load() {
		return kgo.LogLevelDebug
	}
	return kgo.LogLevelInfo
}

// Log implements kgo.Logger.
func (w *watcher) Log(_ kgo.LogLevel, message string, pairs ...any) {
	for i := 1; i < len(pairs); i += 2 {
		switch value := pairs[i].(type) {
		case error:
			if message == "unable to initialize sasl" {
				value = &authenticationError{value}
			}
			w.note(value)
		case string:
			if message == "produced" {
				w.noteAnswers(value)
			}
		}
	}
}

// retried matches the error of a batch in the client's text about a response.
var retried = regexp.MustCompile(`(?:retrying|resetting)@-?\d+,\d+\(([A-Z_]+)[:)]`)

// noteAnswers reads the errors after which the client sends a batch again.
func (w *watcher) noteAnswers(text string) {
	for _, m := range retried.FindAllStringSubmatch(text, -1) {
		for _, row := range rows() {
			if row.err.Message == m[1] {
				w.note(row.err)
			}
		}
	}
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (w *watcher) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		w.note(err)
	}
}

// OnBrokerRead implements kgo.HookBrokerRead.
func (w *watcher) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err != nil && (key == kmsg.SASLHandshake.Int16() || key == kmsg.SASLAuthenticate.Int16()) {
		w.note(&authenticationError{err})
	}
}

// OnBrokerThrottle implements kgo.HookBrokerThrottle.
func (w *watcher) OnBrokerThrottle(_ kgo.BrokerMetadata, interval time.Duration, _ bool) {
	w.note(fmt.Errorf("a broker makes this client wait for %v, because of a quota: %w", interval, kerr.ThrottlingQuotaExceeded))
}

// An authenticationError is the failed authentication of a connection. Some brokers only close
// the connection then.
type authenticationError struct{ err error }

func (e *authenticationError) Error() string        { return "authentication failed: " + e.err.Error() }
func (e *authenticationError) Unwrap() error        { return e.err }
func (e *authenticationError) Is(target error) bool { return target == kerr.SaslAuthenticationFailed }

// note remembers a fault, unless it is the end of a context or of the client. The end of a
// connection does not replace the failed authentication that is its cause.
func (w *watcher) note(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var before *authenticationError
	var answer *kerr.Error
	if errors.As(w.fault, &before) && !errors.As(err, &answer) && !errors.Is(err, kerr.SaslAuthenticationFailed) {
		return
	}
	w.fault = err
}

// last returns the last fault since clear; nil without one.
func (w *watcher) last() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault
}

// clear forgets the fault after a success.
func (w *watcher) clear() {
	w.detailed.Store(false)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = nil
}

// lost is called if the brokers no longer have records that they acknowledged.
func (w *watcher) lost(topic string, partition int32) {
	w.log.Warn("the brokers have forgotten this producer, and may have lost or doubled events that they acknowledged",
		"topic", w.mask.Clean(topic, maxTopic), "partition", partition)
}

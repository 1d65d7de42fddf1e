// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"context"
	"strconv"
	"time"
)

// pingBatch is the interval after which the sink asks for the state of a batch again: answers
// can be lost.
const pingBatch = time.Second

// nextToken returns the token of a message that is published alone.
func (l *link) nextToken() string {
	l.count++
	return "p" + strconv.FormatUint(l.count, 10)
}

// forget drops the answers to earlier attempts.
func (l *link) forget() {
	for {
		select {
		case a := <-l.answers:
			if a.err != nil && a.token == "" { // a fault of the connection concerns this attempt too
				l.add(a)
				return
			}
		default:
			return
		}
	}
}

// await returns the next answer about a token, or a fault of the connection. It calls ask, if
// not nil, after each pause without an answer.
func (l *link) await(ctx context.Context, token string, ask func() error) (answer, error) {
	timer := time.NewTimer(pingBatch)
	defer timer.Stop()
	for {
		select {
		case a := <-l.answers:
			if a.token == token || a.token == "" {
				return a, a.err
			}
		case <-ctx.Done():
			return answer{}, ctx.Err()
		case <-timer.C:
			if ask == nil {
				continue
			}
			if err := ask(); err != nil {
				return answer{}, err
			}
			timer.Reset(pingBatch)
		}
	}
}

// poll returns an answer about a token that has arrived already, if there is one.
func (l *link) poll(token string) (a answer, ok bool) {
	for {
		select {
		case a := <-l.answers:
			if a.token == token || a.token == "" {
				return a, true
			}
		default:
			return answer{}, false
		}
	}
}

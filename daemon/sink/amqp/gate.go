// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// A gate contains whether the broker has blocked the connection. A broker does that when its
// memory or disk is low: it then reads nothing from connections that publish.
type gate struct {
	mu     sync.Mutex
	reason error // nil if the connection is not blocked
	notify func(error)
}

// A blockage is the error of an attempt during which the broker has blocked the connection.
type blockage struct{ reason string }

func (b *blockage) Error() string { return b.reason }

// watch runs until the library closes the channel, at the end of the connection.
func (g *gate) watch(blocks <-chan amqp091.Blocking) {
	for b := range blocks {
		g.set(b)
	}
}

func (g *gate) set(b amqp091.Blocking) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason = nil; b.Active {
		g.reason = &blockage{b.Reason}
	}
	if b.Active && g.notify != nil {
		g.notify(g.reason)
	}
}

// blocked returns an error if the connection is blocked.
func (g *gate) blocked() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason
}

// whenBlocked calls notify when the connection is blocked, also if it is already, until
// release is called.
func (g *gate) whenBlocked(notify func(error)) (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.notify = notify; g.reason != nil {
		notify(g.reason)
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.notify = nil
	}
}

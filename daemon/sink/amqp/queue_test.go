// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
)

// A queue is a durable queue in a virtual host of its own. It receives everything that is
// published to amq.topic, unless the test binds it otherwise.
type queue struct {
	broker *broker
	vhost  string
	name   string
	proxy  *faultproxy.Proxy // between the sink and the broker
	stored []sinktest.StoredEvent
}

func newQueue(t *testing.T, b *broker, arguments amqp091.Table) *queue {
	t.Helper()
	q := &queue{broker: b, vhost: b.NewVHost(t), name: "events", proxy: faultproxy.New(t, b.Plain)}
	q.declare(t, arguments)
	return q
}

// declare creates and binds the queue, unless it exists.
func (q *queue) declare(t *testing.T, arguments amqp091.Table) {
	t.Helper()
	q.do(t, func(ch *amqp091.Channel) error {
		if _, err := ch.QueueDeclare(q.name, true, false, false, false, arguments); err != nil {
			return err
		}
		return ch.QueueBind(q.name, "#", "amq.topic", false, nil)
	})
}

// do uses a connection that the faults of the proxy do not affect.
func (q *queue) do(t *testing.T, use func(*amqp091.Channel) error) {
	t.Helper()
	c, err := amqp091.Dial(q.broker.URL(q.vhost))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err == nil {
		err = use(ch)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// deliveries consumes what is in the queue.
func (q *queue) deliveries(t *testing.T) (list []amqp091.Delivery) {
	t.Helper()
	q.do(t, func(ch *amqp091.Channel) error {
		state, err := ch.QueueDeclarePassive(q.name, true, false, false, false, nil)
		if err != nil || state.Messages == 0 {
			return err
		}
		arriving, err := ch.Consume(q.name, "", true, false, false, false, nil)
		for d := range arriving {
			if list = append(list, d); len(list) == state.Messages {
				break
			}
		}
		return err
	})
	return list
}

// Stored implements sinktest.Destination.
func (q *queue) Stored(t *testing.T) []sinktest.StoredEvent {
	t.Helper()
	for _, d := range q.deliveries(t) {
		q.stored = append(q.stored, sinktest.ParseJSON(t, d.Body))
	}
	return q.stored
}

// Break implements sinktest.Destination.
func (q *queue) Break(*testing.T) { q.proxy.Cut() }

// Repair implements sinktest.Destination.
func (q *queue) Repair(*testing.T) { q.proxy.Restore() }

// Hang implements sinktest.Hanger.
func (q *queue) Hang(*testing.T) { q.proxy.Hang() }

// attempt bounds the attempts of tests. It only ends a test that would hang.
const attemptTimeout = 20 * time.Second

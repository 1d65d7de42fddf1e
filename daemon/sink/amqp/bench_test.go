// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"fmt"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/faultproxy"
	"github.com/genltestd/genltestd/internal/rabbitmq"
)

// benchConfig publishes to a queue that deletes old messages, so that the memory of the broker
// does not grow.
func benchConfig(b *testing.B) (*Config, string) {
	b.Helper()
	sinktest.Program(b, rabbitmq.Program)
	node := startShared()
	q := &queue{broker: node, vhost: node.NewVHost(b), name: "events", proxy: faultproxy.New(b, node.Plain)}
	c, err := amqp091.Dial(node.URL(q.vhost))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err == nil {
		_, err = ch.QueueDeclare(q.name, true, false, false, false, amqp091.Table{"x-max-length": 10_000})
	}
	if err == nil {
		err = ch.QueueBind(q.name, "#", "amq.topic", false, nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	config := q.config() // but without the proxy
	config.Addresses = []value.Address{value.Address("amqp://" + node.Plain)}
	return config, node.URL(q.vhost)
}

func BenchmarkDeliver(b *testing.B) {
	config, _ := benchConfig(b)
	for _, batch := range []int{256, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) { sinktest.Measure(b, newSink(b, config), batch) })
	}
}

// BenchmarkLibrary publishes the same number of messages with the library alone, and waits for
// the confirms of each batch.
func BenchmarkLibrary(b *testing.B) {
	config, url := benchConfig(b)
	c, err := amqp091.Dial(url)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	events := sinktest.Events(1, batch)
	message := amqp091.Publishing{DeliveryMode: amqp091.Persistent, MessageId: events[0].ID(), Body: events[0].AppendJSON(nil)}
	for b.Loop() {
		var last *amqp091.DeferredConfirmation
		for range batch {
			last, err = ch.PublishWithDeferredConfirm(config.Exchange, "genltestd.web-1.genltest.mcgrp", true, false, message)
			if err != nil {
				b.Fatal(err)
			}
		}
		if !last.Wait() {
			b.Fatal("the broker has rejected a message")
		}
	}
	b.ReportMetric(float64(batch)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink/amqp"
)

const (
	amqpExchange = "amq.topic"
	amqpInFlight = 1000 // the default of the sink
)

// amqpConfig returns the default configuration of the sink.
func amqpConfig(address string) *amqp.Config {
	return &amqp.Config{
		Addresses: []value.Address{value.Address(address)}, VHost: "/", Mechanism: "plain", Exchange: amqpExchange,
		RoutingKey: "genltestd.{{.Host}}.{{.Family}}.{{.Group}}", Returned: "retry", Persistent: true, Type: "{{.Kind}}",
		AppID: "genltestd", MaxInFlight: amqpInFlight, Heartbeat: value.Duration(10 * time.Second),
	}
}

// publishWithAMQP publishes messages of the size of an event with the fastest publisher of the
// library that receives a confirm of each message.
func publishWithAMQP(t task) error {
	c, err := amqp091.Dial(t.to)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		return err
	}
	messages, err := amqpMessages(t)
	if err != nil {
		return err
	}
	wall, cpu, err := timeOf(t, func() error { return publishDeferred(ch, messages) })
	if err != nil {
		return err
	}
	fmt.Printf("delivered %d ns %d cpu %d p50 0 p99 0 fed 0\n", len(messages), wall, cpu)
	return nil
}

// amqpMessages prepares the messages, so that only the library is measured.
func amqpMessages(t task) ([]amqp091.Publishing, error) {
	now := time.Now()
	e, err := decoder("6a9155caa46c7dcc")(journal.Record{Seq: 1, Time: now, Data: message(t.text, 1, uint64(now.UnixNano()))})
	if err != nil {
		return nil, err
	}
	text := e.AppendJSON(nil)
	messages := make([]amqp091.Publishing, t.events)
	for i := range messages {
		messages[i] = amqp091.Publishing{
			ContentType: "application/json", DeliveryMode: amqp091.Persistent, MessageId: e.JournalID + "-" + strconv.Itoa(i),
			Timestamp: now, Type: "event", AppId: "genltestd", Body: text,
		}
	}
	return messages, nil
}

var errRejected = errors.New("the broker has rejected a message")

// publishDeferred keeps as many messages in flight as the sink does.
func publishDeferred(ch *amqp091.Channel, messages []amqp091.Publishing) error {
	confirms := make([]*amqp091.DeferredConfirmation, len(messages))
	wait := func(i int) error {
		if !confirms[i].Wait() {
			return errRejected
		}
		return nil
	}
	for i := range messages {
		if i >= amqpInFlight {
			if err := wait(i - amqpInFlight); err != nil {
				return err
			}
		}
		var err error
		confirms[i], err = ch.PublishWithDeferredConfirm(amqpExchange, "genltestd.host_example_org.genltest.mcgrp", true, false, messages[i])
		if err != nil {
			return err
		}
	}
	for i := max(len(messages)-amqpInFlight, 0); i < len(messages); i++ {
		if err := wait(i); err != nil {
			return err
		}
	}
	return nil
}

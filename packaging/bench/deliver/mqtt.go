// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink/mqtt"
)

// mqttPublishers is the number of goroutines that publish with the library: a call returns with
// the acknowledgement, and more goroutines are not faster.
const mqttPublishers = 64

// mqttConfig returns the default configuration of the sink.
func mqttConfig(address string) *mqtt.Config {
	return &mqtt.Config{
		Addresses: []value.Address{value.Address(address)}, Topic: "genltestd/{{.Host}}/{{.Family}}/{{.Group}}", QoS: 1,
		KeepAlive: value.Duration(30 * time.Second), MaxInFlight: 1000, TopicAliases: 64,
	}
}

// publishWithMQTT publishes messages of the size of an event with the client of the library.
func publishWithMQTT(t task) error {
	c, err := connectMQTT(t.to)
	if err != nil {
		return err
	}
	messages, err := mqttMessages(t)
	if err != nil {
		return err
	}
	wall, cpu, err := timeOf(t, func() error { return publishConcurrently(c, messages) })
	if err != nil {
		return err
	}
	fmt.Printf("delivered %d ns %d cpu %d p50 0 p99 0 fed 0\n", len(messages), wall, cpu)
	return c.Disconnect(&paho.Disconnect{})
}

func connectMQTT(address string) (*paho.Client, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	c := paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn), PacketTimeout: time.Minute})
	_, err = c.Connect(context.Background(), &paho.Connect{ClientID: "library", CleanStart: true, KeepAlive: 30})
	return c, err
}

// mqttMessages prepares the messages, so that only the library is measured.
func mqttMessages(t task) ([]*paho.Publish, error) {
	now := time.Now()
	e, err := decoder("6a9155caa46c7dcc")(journal.Record{Seq: 1, Time: now, Data: message(t.text, 1, uint64(now.UnixNano()))})
	if err != nil {
		return nil, err
	}
	text := e.AppendJSON(nil)
	messages := make([]*paho.Publish, t.events)
	for i := range messages {
		messages[i] = &paho.Publish{
			QoS: 1, Topic: "genltestd/host.example.org/genltest/mcgrp", Payload: text,
			Properties: &paho.PublishProperties{ContentType: "application/json", User: paho.UserProperties{
				{Key: "id", Value: e.JournalID + "-" + strconv.Itoa(i)}, {Key: "time", Value: now.Format(time.RFC3339Nano)},
			}},
		}
	}
	return messages, nil
}

func publishConcurrently(c *paho.Client, messages []*paho.Publish) error {
	next, errs := make(chan *paho.Publish), make([]error, mqttPublishers)
	var all sync.WaitGroup
	for i := range mqttPublishers {
		all.Go(func() {
			for m := range next {
				if _, err := c.Publish(context.Background(), m); err != nil && errs[i] == nil {
					errs[i] = err
				}
			}
		})
	}
	for _, m := range messages {
		next <- m
	}
	close(next)
	all.Wait()
	return errors.Join(errs...)
}

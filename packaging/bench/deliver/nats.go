// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink/nats"
)

const (
	natsStream     = "BENCH"
	natsSubjects   = "genltestd.>"
	natsDuplicates = 2 * time.Minute
	natsPending    = 4000 // the default of the library
)

// natsConfig returns the default configuration of the sink, which creates the stream.
func natsConfig(address string) *nats.Config {
	return &nats.Config{
		Addresses: []value.Address{value.Address(address)}, Mode: "jetstream",
		Subject: "genltestd.{{.Host}}.{{.Family}}.{{.Group}}", InboxPrefix: "_INBOX", MaxInFlight: 1000,
		Stream: nats.Stream{
			Name: natsStream, Replicas: 1, Storage: "file", Duplicates: value.Duration(natsDuplicates), Discard: "new",
		},
	}
}

// publishWithNATS publishes messages of the size of an event with the fastest publisher of the
// library.
func publishWithNATS(t task) error {
	nc, err := client.Connect(t.to)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(natsPending))
	if err != nil {
		return err
	}
	_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{
		Name: natsStream, Subjects: []string{natsSubjects}, Duplicates: natsDuplicates, AllowDirect: true,
	})
	if err != nil {
		return err
	}
	messages, err := natsMessages(t)
	if err != nil {
		return err
	}
	wall, cpu, err := timeOf(t, func() error { return publishAsync(js, messages) })
	if err != nil {
		return err
	}
	fmt.Printf("delivered %d ns %d cpu %d p50 0 p99 0 fed 0\n", len(messages), wall, cpu)
	return nil
}

// natsMessages prepares the messages, so that only the library is measured.
func natsMessages(t task) ([]*client.Msg, error) {
	now := time.Now()
	e, err := decoder("6a9155caa46c7dcc")(journal.Record{Seq: 1, Time: now, Data: message(t.text, 1, uint64(now.UnixNano()))})
	if err != nil {
		return nil, err
	}
	text := e.AppendJSON(nil)
	messages := make([]*client.Msg, t.events)
	for i := range messages {
		messages[i] = &client.Msg{Subject: "genltestd.host_example_org.genltest.mcgrp", Data: text, Header: client.Header{
			"Nats-Msg-Id": {e.JournalID + "-" + strconv.Itoa(i)}, "Content-Type": {"application/json"},
		}}
	}
	return messages, nil
}

func publishAsync(js jetstream.JetStream, messages []*client.Msg) error {
	futures := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, m := range messages {
		future, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
		if err != nil {
			return err
		}
		futures = append(futures, future)
	}
	<-js.PublishAsyncComplete()
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			return err
		}
	}
	return nil
}

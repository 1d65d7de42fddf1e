// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink/kafka"
)

const kafkaTopic = "genltestd"

// kafkaConfig returns the default configuration of the sink.
func kafkaConfig(address string) *kafka.Config {
	return &kafka.Config{
		Addresses: []value.Address{value.Address(address)}, Topic: kafkaTopic, Key: "{{.Host}}", Compression: "none",
		ClientID: "benchmark", MaxMessage: 1e6, SASL: kafka.SASL{Mechanism: "none"},
	}
}

// produceWithFranz produces records of the size of an event as fast as the library can, with the
// guarantees of the sink: idempotent, with the acknowledgement of all replicas.
func produceWithFranz(t task) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.TrimPrefix(t.to, "tcp://")), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	records, err := kafkaRecords(t)
	if err != nil {
		return err
	}
	wall, cpu, err := timeOf(t, func() error { return produceAll(client, records) })
	if err != nil {
		return err
	}
	fmt.Printf("delivered %d ns %d cpu %d p50 0 p99 0 fed 0\n", len(records), wall, cpu)
	return nil
}

// kafkaRecords prepares the records, so that only the library is measured.
func kafkaRecords(t task) ([]kgo.Record, error) {
	now := time.Now()
	e, err := decoder("6a9155caa46c7dcc")(journal.Record{Seq: 1, Time: now, Data: message(t.text, 1, uint64(now.UnixNano()))})
	if err != nil {
		return nil, err
	}
	text, at := e.AppendJSON(nil), event.AppendTime(nil, now)
	records := make([]kgo.Record, t.events)
	for i := range records {
		records[i] = kgo.Record{
			Topic: kafkaTopic, Key: []byte(e.Host), Value: text, Timestamp: now,
			Headers: []kgo.RecordHeader{
				{Key: "id", Value: strconv.AppendInt([]byte(e.JournalID+"-"), int64(i), 10)},
				{Key: "time", Value: at},
				{Key: "content-type", Value: []byte("application/json")},
			},
		}
	}
	return records, nil
}

func produceAll(client *kgo.Client, records []kgo.Record) error {
	var left sync.WaitGroup
	var errs []error // the library calls done from one goroutine at a time
	left.Add(len(records))
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			errs = append(errs, err)
		}
		left.Done()
	}
	for i := range records {
		client.Produce(context.Background(), &records[i], done)
	}
	left.Wait()
	return errors.Join(errs...)
}

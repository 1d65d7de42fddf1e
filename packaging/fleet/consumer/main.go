// SPDX-License-Identifier: Apache-2.0

// Command consumer prints the events of a JetStream stream, and reports each break in the numbers
// of a host.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	server := flag.String("server", nats.DefaultURL, "`URL` of the servers, separated by commas")
	stream := flag.String("stream", "EVENTS", "`name` of the stream")
	credentials := flag.String("credentials", "", "`file` of type .creds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var options []nats.Option
	if *credentials != "" {
		options = append(options, nats.UserCredentials(*credentials))
	}
	if err := run(ctx, *server, *stream, os.Stdout, os.Stderr, options...); err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1)
	}
}

// run reads the stream from its first event until ctx ends.
func run(ctx context.Context, server, stream string, events, breaks io.Writer, options ...nats.Option) error {
	nc, err := nats.Connect(server, append(options, nats.MaxReconnects(-1))...)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	consumer, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	seen := continuity{}
	running, err := consumer.Consume(func(m jetstream.Msg) {
		fmt.Fprintf(events, "%s\n", m.Data())
		if text := seen.check(m.Data()); text != "" {
			fmt.Fprintln(breaks, text)
		}
	})
	if err != nil {
		return err
	}
	defer running.Stop()
	<-ctx.Done()
	return nil
}

// An event has the fields that show continuity.
type event struct {
	ID   string `json:"id"` // JOURNAL-SEQ
	Seq  uint64 `json:"seq"`
	Kind string `json:"kind"`
	Host string `json:"host"`
	Gap  *struct {
		Count  uint64 `json:"count"`
		Reason string `json:"reason"`
	} `json:"gap"`
}

// continuity has the last number of each journal. A host has a new journal, and numbers from 1,
// after its state directory was lost.
type continuity map[string]uint64

// check returns a description of the break before an event, or "".
func (c continuity) check(data []byte) string {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Sprintf("not an event: %v", err)
	}
	if e.Kind == "suppressed" || e.Kind == "test" {
		return "" // without a number of its own
	}
	journal, _, _ := strings.Cut(e.ID, "-")
	last, known := c[journal]
	c[journal] = max(last, e.Seq)
	switch {
	case e.Gap != nil:
		return fmt.Sprintf("%s lost %d events before %d: %s", e.Host, e.Gap.Count, e.Seq, e.Gap.Reason)
	case !known && e.Seq > 1:
		return fmt.Sprintf("%s begins at %d", e.Host, e.Seq)
	case known && e.Seq <= last:
		return fmt.Sprintf("%s sent %d again", e.Host, e.Seq)
	case known && e.Seq > last+1:
		return fmt.Sprintf("%s skipped %d to %d", e.Host, last+1, e.Seq-1)
	}
	return ""
}

// SPDX-License-Identifier: Apache-2.0

package natscluster

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/genltestd/genltestd/internal/poll"
)

// IDs returns the ids of all events in the stream, in its order.
func IDs(t testing.TB, js jetstream.JetStream) (ids []string) {
	t.Helper()
	poll.UntilNil(t, "the stream is read", func() (err error) {
		ids, err = read(t.Context(), js)
		return err
	})
	return ids
}

func read(ctx context.Context, js jetstream.JetStream) (ids []string, err error) {
	stream, err := js.Stream(ctx, Stream)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil, nil
	}
	consumer, err := js.OrderedConsumer(ctx, Stream, jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		return nil, err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	for {
		// A consumer may stay silent if it was created during an election.
		m, err := messages.Next(jetstream.NextMaxWait(3 * time.Second))
		if err != nil {
			return nil, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return nil, err
		}
		ids = append(ids, m.Headers().Get(nats.MsgIdHdr))
		if meta.Sequence.Stream >= state.LastSeq {
			return ids, nil
		}
	}
}

// BytesPerMessage returns the average size of a stored message.
func BytesPerMessage(t testing.TB, js jetstream.JetStream) float64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), Stream)
	if err != nil {
		t.Fatal(err)
	}
	state := stream.CachedInfo().State
	return float64(state.Bytes) / float64(state.Msgs)
}

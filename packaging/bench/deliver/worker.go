// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/deadletter"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/amqp"
	"github.com/genltestd/genltestd/daemon/sink/file"
	"github.com/genltestd/genltestd/daemon/sink/kafka"
	"github.com/genltestd/genltestd/daemon/sink/mqtt"
	"github.com/genltestd/genltestd/daemon/sink/nats"
	"github.com/genltestd/genltestd/daemon/sink/otlp"
	"github.com/genltestd/genltestd/daemon/sink/redis"
	"github.com/genltestd/genltestd/daemon/sink/socket"
	"github.com/genltestd/genltestd/daemon/sink/webhook"
	"github.com/genltestd/genltestd/metrics"
)

const name = "bench"

// A worker is the worker of one sink, with its dependencies.
type worker struct {
	*delivery.Worker
	letters *deadletter.Box
	timed   *timed // nil if nothing is timed
}

// newWorker creates the worker as the daemon does. It is the only function that depends
// on that. Options that the task omits have the values of the default configuration.
func newWorker(t task, j *journal.Journal) (*worker, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := newSink(t)
	if err != nil {
		return nil, err
	}
	w := &worker{}
	if t.rate > 0 {
		w.timed = &timed{Sink: s}
		s = w.timed
	}
	rules, err := match.Compile(match.Options{})
	if err != nil {
		return nil, err
	}
	reader, err := j.NewReader(name, journal.ReaderOptions{})
	if err != nil {
		return nil, err
	}
	w.letters = deadletter.Open(filepath.Join(t.dir, "deadletters"), deadletter.Options{MaxBytes: 64 << 20, MaxAge: 720 * time.Hour, Log: log})
	if err := w.letters.Fault(); err != nil {
		return nil, err
	}
	m := metrics.New(prometheus.NewRegistry(), "benchmark")
	w.Worker = delivery.NewWorker(delivery.Config{
		Name: name, Reader: reader, Letters: w.letters, Decode: decoder(j.ID()),
		Route: delivery.Route{Sinks: []sink.Sink{s}, Rules: rules, Options: delivery.Options{
			BatchEvents: t.batch, BatchBytes: 1 << 20, BatchWait: t.wait,
			AttemptTimeout: 10 * time.Second, RetryMin: 100 * time.Millisecond, RetryMax: 30 * time.Second,
		}},
		State:   metrics.NewSinkState(name, match.Reasons()),
		Latency: m.SinkLatency.WithLabelValues(name), EndToEnd: m.SinkEndToEnd.WithLabelValues(name),
		Log: log,
	})
	return w, nil
}

func (w *worker) run(ctx context.Context) error {
	w.Run(ctx)
	return w.letters.Close()
}

// outcomes returns how many events have an outcome.
func (w *worker) outcomes() uint64 {
	s := w.State()
	return s.Delivered + s.DeadLettered
}

func decoder(journalID string) delivery.Decoder {
	return func(r journal.Record) (event.Event, error) {
		fields, err := genl.Decode(r.Data)
		return event.Event{
			JournalID: journalID, Seq: r.Seq, Time: r.Time,
			KernelTime: fields.KernelTime, KernelSeq: fields.KernelSeq, LoadID: fields.LoadID,
			Host: "host.example.org", Family: genl.FamilyName, Group: genl.GroupName, Message: fields.Message,
		}, err
	}
}

// envelopeOptions returns each envelope, with typical templates.
func envelopeOptions(name string) envelope.Options {
	switch name {
	case "template":
		return envelope.Options{Kind: envelope.Template, Template: "{{.Time}} {{.Host}}: {{.Text}}"}
	case "template of JSON":
		const text = `{"host": {{json .Host}}, "kind": "{{.Kind}}", "text": {{json .Text}}, "time": {{json .Time}}}`
		return envelope.Options{Kind: envelope.Template, Template: text, ContentType: "application/json"}
	}
	return envelope.Options{Kind: envelope.Kind(name)}
}

// batchOf returns the supported form of a batch.
func batchOf(encoder event.Encoder) string {
	if encoder.BatchContentType() == "" {
		return "lines"
	}
	return "array"
}

func newSink(t task) (sink.Sink, error) {
	encoder, err := envelope.New(envelopeOptions(t.envelope))
	if err != nil {
		return nil, err
	}
	compile := func(t sink.Template) (event.Encoder, error) {
		return envelope.NewName(envelope.Name{Text: t.Text, Replace: t.Replace, Accept: t.Accept})
	}
	env := sink.Env{Version: "benchmark", Compile: compile, Encoder: encoder, Position: filepath.Join(t.dir, "sinks", name+".position")}
	switch t.sink {
	case "file", "unsynced":
		fsync := map[string]string{"file": "batch", "unsynced": "never"}[t.sink]
		return file.New(&file.Config{Path: filepath.Join(t.dir, "events.jsonl"), Mode: 0o640, Fsync: fsync}, env), nil
	case "webhook":
		return webhook.New(&webhook.Config{
			URL: value.Inline(t.to), Method: http.MethodPost, Batch: batchOf(encoder), Compression: "none",
			IdempotencyHeader: "Idempotency-Key",
		}, env)
	case "socket", "confirm":
		return socket.NewClient(&socket.Config{Address: value.Address("unix://" + t.to), Acknowledge: t.sink == "confirm"}, env), nil
	case "nats":
		return nats.New(natsConfig(t.to), env)
	case "kafka":
		return kafka.New(kafkaConfig(t.to), env)
	case "mqtt":
		return mqtt.New(mqttConfig(t.to), env)
	case "redis":
		return redis.New(redisConfig(t.to), env)
	case "amqp":
		return amqp.New(amqpConfig(t.to), env)
	case "otlp":
		return otlp.New(otlpConfig(t.to, "gzip"), env)
	case "otlp-plain":
		return otlp.New(otlpConfig(t.to, "none"), env)
	case "accept":
		return acceptance{}, nil
	case "refuse":
		return refusal{}, nil
	}
	return nil, fmt.Errorf("sink %q is not known", t.sink)
}

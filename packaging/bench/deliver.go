// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A place is the destination of a delivery.
type place struct {
	name string // in the report
	sink string // of deliver
	peer string // kind of peer; "" means that the place needs no peer

	envelope string // of deliver; "" means json

	// library is the sink of deliver with which the rate is compared: the client library's own
	// publisher. It is measured before this place. "" means without a comparison.
	library string
}

var (
	toFile     = place{name: "`file`", sink: "file"}
	toUnsynced = place{name: "`file`, `fsync: never`", sink: "unsynced"}
	toWebhook  = place{name: "`webhook`", sink: "webhook", peer: "webhook"}
	toSocket   = place{name: "`socket`", sink: "socket", peer: "socket"}
	toConfirm  = place{name: "`socket`, `acknowledge: true`", sink: "confirm", peer: "confirm"}
	toNothing  = place{name: "a sink that does nothing", sink: "accept"}
	toRefusal  = place{name: "a sink that refuses every event", sink: "refuse"}

	natsLibrary = place{name: "nats.go, PublishMsgAsync", sink: "nats-library", peer: "nats"}
	mqttLibrary = place{name: "paho.golang, Publish", sink: "mqtt-library", peer: "mqtt"}
	toMQTT      = place{name: "`mqtt`, QoS 1", sink: "mqtt", peer: "mqtt", library: mqttLibrary.sink}
	toNATS      = place{name: "`nats`, JetStream", sink: "nats", peer: "nats", library: natsLibrary.sink}

	kafkaLibrary = place{name: "franz-go, Produce", sink: "kafka-library", peer: "kafka"}
	toKafka      = place{name: "`kafka`", sink: "kafka", peer: "kafka", library: kafkaLibrary.sink}
	redisLibrary = place{name: "redigo, pipelines", sink: "redis-library", peer: "redis"}
	toRedis      = place{name: "`redis`", sink: "redis", peer: "redis", library: redisLibrary.sink}

	amqpLibrary = place{name: "amqp091-go, PublishWithDeferredConfirm", sink: "amqp-library", peer: "amqp"}
	toAMQP      = place{name: "`amqp`", sink: "amqp", peer: "amqp", library: amqpLibrary.sink}
	otlpLibrary = place{name: "net/http, prepared OTLP requests", sink: "otlp-library", peer: "otlp"}
	toOTLP      = place{name: "`otlp`, HTTP", sink: "otlp", peer: "otlp", library: otlpLibrary.sink}
	toOTLPPlain = place{name: "`otlp`, HTTP, not compressed", sink: "otlp-plain", peer: "otlp", library: otlpLibrary.sink}
)

// inEnvelopes returns the webhook with each envelope.
func inEnvelopes() (places []place) {
	for _, envelope := range []string{"json", "raw", "cloudevents", "rfc5424", "logfmt", "template", "template of JSON"} {
		places = append(places, place{name: "`webhook`, " + envelope, sink: "webhook", peer: "webhook", envelope: envelope})
	}
	return places
}

// A delivery is a load for the daemon's delivery to one sink.
type delivery struct {
	load  // queued, or with a rate
	to    place
	batch int           // batch_events
	wait  time.Duration // batch_wait
	goal  goal
}

func (d delivery) String() string {
	return fmt.Sprintf("%s, %s (%s), %d", d.name, d.to.name, d.to.sink, d.text)
}

// The values of the default configuration.
const defaultWait = 50 * time.Millisecond

const typical = 200 // bytes of a text: a line of a log

func deliveries() []delivery {
	backlog := func(events, text int) load {
		return load{name: "backlog of " + thousands(events), events: events, text: text, queued: true}
	}
	live := load{name: "3,000 at 1,000/s", events: 3_000, text: small, rate: 1_000}
	soon := goal{p99: 10 * time.Millisecond}
	list := []delivery{
		{load: backlog(500_000, small), to: toNothing, batch: 1000, wait: defaultWait},
		{load: backlog(500_000, small), to: toFile, batch: 1000, wait: defaultWait, goal: goal{perSecond: 300_000}},
		{load: backlog(200_000, large), to: toFile, batch: 1000, wait: defaultWait},
		{load: backlog(500_000, small), to: toUnsynced, batch: 1000, wait: defaultWait},
		{load: backlog(200_000, small), to: toWebhook, batch: 500, wait: defaultWait, goal: goal{perSecond: 100_000}},
		{load: backlog(200_000, small), to: toSocket, batch: 500, wait: defaultWait},
		{load: backlog(200_000, small), to: toConfirm, batch: 500, wait: defaultWait},
		{load: backlog(100_000, small), to: toRefusal, batch: 500, wait: defaultWait, goal: goal{perSecond: 3_400}},
		{load: backlog(200_000, small), to: natsLibrary, batch: 1000, wait: defaultWait},
		{load: backlog(200_000, small), to: toNATS, batch: 1000, wait: defaultWait, goal: goal{ratio: 0.8}},
		{load: backlog(500_000, small), to: kafkaLibrary, batch: 5000, wait: defaultWait},
		{load: backlog(500_000, small), to: toKafka, batch: 5000, wait: defaultWait, goal: goal{ratio: 0.8}},
		{load: backlog(100_000, small), to: mqttLibrary, batch: 256, wait: defaultWait},
		{load: backlog(100_000, small), to: toMQTT, batch: 256, wait: defaultWait, goal: goal{ratio: 0.8}},
		{load: backlog(200_000, small), to: redisLibrary, batch: 256, wait: defaultWait},
		{load: backlog(200_000, small), to: toRedis, batch: 256, wait: defaultWait},
		{load: backlog(100_000, small), to: amqpLibrary, batch: 256, wait: defaultWait},
		{load: backlog(100_000, small), to: toAMQP, batch: 256, wait: defaultWait},
		{load: backlog(200_000, small), to: otlpLibrary, batch: 256, wait: defaultWait},
		{load: backlog(200_000, small), to: toOTLPPlain, batch: 256, wait: defaultWait},
		{load: backlog(200_000, small), to: toOTLP, batch: 256, wait: defaultWait},
		{load: live, to: toNothing, batch: 500},
		{load: live, to: toFile, batch: 1000, goal: soon},
		{load: live, to: toWebhook, batch: 500, goal: soon},
		{load: live, to: toSocket, batch: 500, goal: soon},
		{load: live, to: toConfirm, batch: 500, goal: soon},
		{load: live, to: toNothing, batch: 500, wait: defaultWait},
		{load: live, to: toFile, batch: 1000, wait: defaultWait},
		{load: live, to: toWebhook, batch: 500, wait: defaultWait},
	}
	for _, to := range inEnvelopes() {
		d := delivery{load: backlog(100_000, typical), to: to, batch: 500, wait: defaultWait, goal: goal{cpu: 2_000}}
		if to.envelope == "json" {
			d.goal.perSecond = 500_000
		}
		list = append(list, d)
	}
	return list
}

// deliver runs d once. It repeats the run while the machine is too busy to offer the
// load.
func (b bench) deliver(d delivery) (delivered, error) {
	sent, err := b.measureDelivery(d)
	for try := 1; try < tries && err == nil && !offered(sent.fed, d.load); try++ {
		reportBusy(sent.fed, d.load)
		sent, err = b.measureDelivery(d)
	}
	if err != nil {
		return sent, fmt.Errorf("%s: %w", d, err)
	}
	return sent, nil
}

func (b bench) measureDelivery(d delivery) (sent delivered, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp(b.journals, "deliver")
	if err != nil {
		return sent, err
	}
	defer os.RemoveAll(dir)
	address, leave, err := b.meet(ctx, d.to, dir)
	if err != nil {
		return sent, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	worker, err := b.start(ctx, anyCPU, "deliver", "-dir", dir, "-sink", d.to.sink, "-to", address,
		"-events", strconv.Itoa(d.events), "-text", strconv.Itoa(d.text), "-rate", strconv.Itoa(d.rate),
		"-batch", strconv.Itoa(d.batch), "-wait", d.wait.String(), "-envelope", cmp.Or(d.to.envelope, "json"))
	if err != nil {
		return sent, err
	}
	defer func() { err = errors.Join(err, worker.end()) }()
	if err := errors.Join(worker.expect("ready"), worker.begin()); err != nil {
		return sent, err
	}
	return d.read(worker)
}

// meet starts the peer of a place and returns its address.
func (b bench) meet(ctx context.Context, p place, dir string) (address string, leave func() error, err error) {
	switch p.peer {
	case "":
		return "", func() error { return nil }, nil
	case "nats":
		return startNATS(ctx, dir)
	case "kafka":
		return startKafka(ctx, dir)
	case "mqtt":
		return startMosquitto(ctx, dir)
	case "redis":
		return startRedis(ctx, dir)
	case "amqp":
		return startRabbitMQ(ctx, dir)
	case "otlp":
		return startCollector(ctx, dir)
	}
	path := filepath.Join(dir, "peer.sock")
	peer, err := b.start(ctx, anyCPU, "peer", p.peer, path)
	if err != nil {
		return "", nil, err
	}
	if err := peer.expect("at %s", &address); err != nil {
		return "", nil, errors.Join(err, peer.end())
	}
	if p.peer == "webhook" {
		return "http://" + address + "/events", peer.end, nil
	}
	return path, peer.end, nil
}

// read reads the result of the worker.
func (d delivery) read(worker *child) (sent delivered, err error) {
	var events int
	var ns, cpu, fed int64
	err = worker.expect("delivered %d ns %d cpu %d p50 %d p99 %d fed %d", &events, &ns, &cpu, &sent.p50, &sent.p99, &fed)
	if err != nil {
		return sent, err
	}
	if events != d.events {
		return sent, fmt.Errorf("%d of %d events were delivered", events, d.events)
	}
	sent.fed = float64(events) / float64(fed) * 1e9
	sent.perSecond, sent.cpu = float64(events)/float64(ns)*1e9, float64(cpu)/float64(events)
	return sent, nil
}

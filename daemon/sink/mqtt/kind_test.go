// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// configFor returns the defaults with the address of a broker.
func configFor(address string) *Config {
	return &Config{
		Addresses: []value.Address{value.Address("mqtt://" + address)}, Topic: "genltestd/{{.Host}}/{{.Family}}/{{.Group}}",
		QoS: 1, KeepAlive: value.Duration(30 * time.Second), MaxInFlight: 1000, TopicAliases: 64,
	}
}

func newSink(t testing.TB, c *Config) *Sink {
	t.Helper()
	s, err := New(c, sink.Env{Sink: "bus", Encoder: event.JSON{}, Compile: sinktest.Compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A destination is a broker with a witness.
type destination struct {
	*broker
	witness *witness
	sink    *sinktest.Counter
}

func newDestination(t *testing.T, lines ...string) *destination {
	b := startBroker(t, lines...)
	d := &destination{broker: b, witness: watch(t, b.address)}
	d.sink = &sinktest.Counter{Sink: newSink(t, configFor(b.address))}
	return d
}

func (d *destination) Stored(t *testing.T) (all []sinktest.StoredEvent) {
	t.Helper()
	for _, m := range d.witness.received() {
		all = append(all, sinktest.ParseJSON(t, m.Payload))
	}
	return all
}

// Break kills the broker when the witness has received the acknowledged messages: mosquitto
// keeps others only in its memory.
func (d *destination) Break(t *testing.T) {
	t.Helper()
	d.sink.AwaitStored(t, d)
	d.Kill()
}

func (d *destination) Hang(*testing.T) { d.Freeze() }

func (d *destination) Repair(t *testing.T) {
	t.Helper()
	if d.Running() {
		d.Thaw()
		return
	}
	d.Restart()
	d.witness.awaitSubscription(t) // the broker has forgotten it
}

func TestKind(t *testing.T) {
	sinktest.Run(t, sinktest.Kind{Hostile: 20_000, New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
		d := newDestination(t)
		return d.sink, d
	}})
}

func TestSinksAreSpreadOverTheAddresses(t *testing.T) {
	c := configFor("192.0.2.1:1883")
	c.Addresses = append(c.Addresses, "mqtt://192.0.2.2:1883", "mqtt://192.0.2.3:1883")
	first := make(map[int]bool)
	for range 200 {
		first[newSink(t, c).at] = true
	}
	if len(first) != 3 {
		t.Errorf("200 sinks begin with the addresses %v", first)
	}
}

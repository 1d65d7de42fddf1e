// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"errors"
	"fmt"

	"github.com/genltestd/genltestd/daemon/sink"
)

// A verdict is the meaning of a reason code for the events.
type verdict string

const (
	accepted  verdict = "accepted"
	retry     verdict = "retry"
	permanent verdict = "dead letter"
)

// reasons is the whole policy. docs/sinks/mqtt.md shows it, and a test compares the two.
//
// A code about these particular events is permanent. A code about configuration, authorization
// or the broker's state is not, and neither is a code that is not in the table. In a CONNACK,
// which precedes all events, no code is permanent.
var reasons = []struct {
	code    byte
	name    string
	verdict verdict
	remedy  string
}{
	{0x00, "success", accepted, "the broker is responsible for the event"},
	{0x10, "no matching subscribers", accepted, "the broker discards the event, because no client has subscribed to the topic"},
	{0x80, "unspecified error", retry, "read the broker's log"},
	{0x81, "malformed packet", retry, "read the broker's log"},
	{0x82, "protocol error", retry, "read the broker's log"},
	{0x83, "implementation specific error", retry, "read the broker's log"},
	{0x84, "unsupported protocol version", retry, "use a broker that supports MQTT 5"},
	{0x85, "client identifier not valid", retry, "set client_id to an id that the broker allows"},
	{0x86, "bad user name or password", retry, "check user and password"},
	{0x87, "not authorized", retry, "check user and password, and the broker's rules for the topic"},
	{0x88, "server unavailable", retry, "wait, or check the broker"},
	{0x89, "server busy", retry, "wait, or check the load of the broker"},
	{0x8a, "banned", retry, "ask the administrator of the broker"},
	{0x8b, "server shutting down", retry, "wait until the broker is started again"},
	{0x8c, "bad authentication method", retry, "allow a user and password, or a client certificate, at the broker"},
	{0x8d, "keep alive timeout", retry, "check the network, or set a longer keep_alive"},
	{0x8e, "session taken over", retry, "another client connected with the same client id; set another client_id for one of the two"},
	{0x90, "topic name invalid", permanent, "change topic, or the broker's rules for names"},
	{0x91, "packet identifier in use", retry, "read the broker's log"},
	{0x93, "receive maximum exceeded", retry, "set a smaller max_in_flight"},
	{0x94, "topic alias invalid", retry, "set topic_aliases: 0"},
	{0x95, "packet too large", permanent, "raise the limit of the broker"},
	{0x96, "message rate too high", retry, "raise the limit of the broker"},
	{0x97, "quota exceeded", retry, "raise the limit of the broker, or wait until subscribers have read"},
	{0x98, "administrative action", retry, "ask the administrator of the broker"},
	{0x99, "payload format invalid", permanent, "change the envelope"},
	{0x9a, "retain not supported", retry, "set retain: false"},
	{0x9b, "QoS not supported", retry, "set qos: 0, or use a broker that supports QoS 1"},
	{0x9c, "use another server", retry, "the sink tries the next address; add the other server to addresses"},
	{0x9d, "server moved", retry, "the sink tries the next address; change addresses"},
	{0x9f, "connection rate exceeded", retry, "wait, or raise the limit of the broker"},
	{0xa0, "maximum connect time", retry, "the sink connects again"},
}

// The codes that the sink treats in its own way.
const (
	codeTakenOver      = 0x8e
	codePacketTooLarge = 0x95
	codeRetain         = 0x9a
	codeQoS            = 0x9b
)

// A refusal is the error of a reason code.
type refusal struct {
	code    byte
	verdict verdict
	text    string
}

func (r *refusal) Error() string { return r.text }

// refused returns the error of a code, with the explanation that the broker may have added; nil
// if the code means that the events are accepted.
func refused(code byte, explanation string) *refusal {
	r := &refusal{code: code, verdict: retry, text: "unknown reason"}
	remedy := "read the broker's log"
	for _, row := range reasons {
		if row.code == code {
			r.verdict, r.text, remedy = row.verdict, row.name, row.remedy
		}
	}
	if r.verdict == accepted {
		return nil
	}
	r.text = fmt.Sprintf("%s (reason code 0x%02x)", r.text, code)
	if explanation != "" {
		r.text += fmt.Sprintf(": %q", explanation)
	}
	r.text += "; " + remedy
	return r
}

// classify marks err, which describes a refusal, as an error about one of the first n events, if
// it is permanent.
func (r *refusal) classify(n int, err error) error {
	if r.verdict != permanent || n == 0 {
		return err
	}
	kind := sink.RefusedByBroker
	if r.code == codePacketTooLarge {
		kind = sink.RefusedTooLarge
	}
	return sink.PermanentAmong(n, sink.Refusal{Kind: kind}.Mark(err))
}

// hasCode reports whether err is the refusal with a code.
func hasCode(err error, code byte) bool {
	var r *refusal
	return errors.As(err, &r) && r.code == code
}

// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

func TestLongPacketsAreRejectedBeforeTheyAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"\x40\xff\xff\xff\x7f":     "268435455 bytes",
		"\x40\x81\x80\x04":         "65537 bytes",
		"\x40\xff\xff\xff\xff\x7f": "not MQTT",
		"\x40":                     "EOF",
		"\x40\x80":                 "EOF",
		"\x00\x00":                 "unknown packet type",
		"SSH-2.0-OpenSSH_9.2\r\n":  "EOF",
	} {
		if p, err := readPacket(bufio.NewReader(strings.NewReader(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// A packet that is too long leaves the buffer as it was.
func TestPacketsBeyondTheLimitOfTheBrokerAreNotWritten(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("before")
	p := &packets.Publish{Topic: "t", QoS: 1, PacketID: 7, Payload: make([]byte, 100), Properties: &packets.Properties{}}
	if err := appendPacket(&b, p, 107); err == nil || b.String() != "before" {
		t.Errorf("%v, and the buffer has %d bytes", err, b.Len())
	}
	if err := appendPacket(&b, p, 108); err != nil || b.Len() != len("before")+108 {
		t.Errorf("%v, and the buffer has %d bytes", err, b.Len())
	}
}

// No packet of a broker stops the daemon.
func FuzzReadPacket(f *testing.F) {
	for _, p := range []packets.Packet{
		&packets.Connack{ReasonCode: 0x87, Properties: &packets.Properties{ReasonString: "no"}},
		&packets.Puback{PacketID: 1, ReasonCode: 0x97, Properties: &packets.Properties{ReasonString: "full"}},
		&packets.Disconnect{ReasonCode: 0x8e, Properties: &packets.Properties{ServerReference: "other"}},
	} {
		var b bytes.Buffer
		if _, err := p.WriteTo(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := bufio.NewReader(bytes.NewReader(text))
		for range 100 {
			p, err := readPacket(r)
			if err != nil {
				return
			}
			if c, ok := p.Content.(*packets.Connack); ok {
				limitsOf(c.Properties)
			}
		}
	})
}

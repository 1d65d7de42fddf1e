// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"encoding/base64"
	"fmt"
	"net"

	"github.com/eclipse/paho.golang/packets"
)

// mqttSinks adds sinks with the password of the kind mqtt in each source. Their brokers repeat the
// password wherever a packet has room for a text.
func (w *setup) mqttSinks() {
	brokers := map[string]string{
		"connack":    "mqtt://" + w.serve(nil, mqttEcho(packets.CONNECT, 0x86)).addr,
		"puback":     "mqtt://" + w.serve(nil, mqttEcho(packets.PUBLISH, 0x97)).addr,
		"invalid":    "mqtt://" + w.serve(nil, mqttEcho(packets.PUBLISH, 0x99)).addr, // so that dead letters contain it too
		"disconnect": "mqtt://" + w.serve(nil, mqttEcho(packets.DISCONNECT, 0x98)).addr,
		"raw":        "mqtt://" + w.serve(nil, mqttRaw).addr,
		"closed":     "mqtt://127.0.0.1:1",
	}
	for _, source := range secretSources {
		for name, address := range brokers {
			password := w.secretValue(source, w.addCanary("sinks[].mqtt.password", name, source).Text())
			w.sink("mqtt-"+name+"-"+source, "mqtt", map[string]any{
				"addresses": []string{address}, "user": "sink", "password": password, "client_id": "sink",
			})
		}
	}
}

// mqttEcho answers packets before and at a type, the last one with a code and texts that contain
// the password.
func mqttEcho(at, code byte) func(net.Conn) {
	return func(c net.Conn) {
		var texts *packets.Properties
		for {
			p, err := packets.ReadPacket(c)
			if err != nil {
				return
			}
			var answer packets.Packet
			switch m := p.Content.(type) {
			case *packets.Connect:
				texts = &packets.Properties{ReasonString: fmt.Sprintf("%s %q %s", m.Password, m.Password,
					base64.StdEncoding.EncodeToString(m.Password))}
				if at == packets.CONNECT {
					answer = &packets.Connack{ReasonCode: code, Properties: texts}
				} else {
					answer = &packets.Connack{Properties: &packets.Properties{}}
				}
			case *packets.Publish:
				if at == packets.PUBLISH {
					answer = &packets.Puback{PacketID: m.PacketID, ReasonCode: code, Properties: texts}
				} else {
					answer = &packets.Disconnect{ReasonCode: code, Properties: texts}
				}
			default:
				return
			}
			if _, err := answer.WriteTo(c); err != nil || p.Type == at {
				return
			}
		}
	}
}

// mqttRaw repeats the bytes of a client.
func mqttRaw(c net.Conn) {
	buf := make([]byte, 1<<10)
	if n, err := c.Read(buf); err == nil {
		c.Write(buf[:n]) // the client may have closed the connection
	}
}

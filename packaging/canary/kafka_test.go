// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// kafkaSinks adds sinks for each secret of the kind kafka. Their broker accepts every mechanism,
// and repeats the secret in its answer.
func (w *setup) kafkaSinks() {
	echo := "tcp://" + w.serve(nil, kafkaEcho).addr
	for _, source := range secretSources {
		for key, options := range map[string]map[string]any{
			"password": {"mechanism": "PLAIN", "user": "sink"},
			"token":    {"mechanism": "OAUTHBEARER"},
		} {
			options[key] = w.secretValue(source, w.addCanary("sinks[].kafka.sasl."+key, "", source).Text())
			w.sink(fmt.Sprintf("kafka-%s-%s", key, source), "kafka", map[string]any{"addresses": []string{echo}, "sasl": options})
		}
	}
	w.sink("kafka-closed", "kafka", map[string]any{"addresses": []string{"tcp://127.0.0.1:1"}})
}

// The requests of Kafka that the answers below belong to.
const (
	kafkaHandshake    = 17
	kafkaVersions     = 18
	kafkaAuthenticate = 36

	kafkaUnsupportedVersion = 35
	kafkaWrongCredentials   = 58
)

// kafkaEcho answers the requests of a client until it authenticates. Then it repeats its secret.
func kafkaEcho(c net.Conn) {
	be := binary.BigEndian
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		request := make([]byte, min(be.Uint32(size[:]), 1<<16))
		if _, err := io.ReadFull(c, request); err != nil || len(request) < 8 {
			return
		}
		answer := append([]byte(nil), request[4:8]...) // the number of the request
		switch be.Uint16(request) {
		case kafkaVersions:
			answer = appendVersions(be.AppendUint16(answer, kafkaVersion(request)))
		case kafkaHandshake:
			answer = be.AppendUint32(be.AppendUint16(answer, 0), 2)
			for _, name := range []string{"PLAIN", "OAUTHBEARER"} {
				answer = append(be.AppendUint16(answer, uint16(len(name))), name...)
			}
		case kafkaAuthenticate:
			text := fmt.Sprintf("wrong credentials: %s", request[8:])
			answer = append(be.AppendUint16(be.AppendUint16(answer, kafkaWrongCredentials), uint16(len(text))), text...)
			answer = be.AppendUint32(answer, 0)
		default:
			return
		}
		if _, err := c.Write(append(be.AppendUint32(nil, uint32(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// kafkaVersion accepts only the version 0 of the request for the versions.
func kafkaVersion(request []byte) uint16 {
	if binary.BigEndian.Uint16(request[2:]) > 0 {
		return kafkaUnsupportedVersion
	}
	return 0
}

// appendVersions appends a list of requests with their first and last version.
func appendVersions(answer []byte) []byte {
	be := binary.BigEndian
	versions := [][3]uint16{{kafkaVersions, 0, 0}, {kafkaHandshake, 0, 1}, {kafkaAuthenticate, 0, 0}, {3, 0, 4}}
	answer = be.AppendUint32(answer, uint32(len(versions)))
	for _, v := range versions {
		for _, n := range v {
			answer = be.AppendUint16(answer, n)
		}
	}
	return answer
}

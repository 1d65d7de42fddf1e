// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// amqpSinks adds sinks with the password of the kind amqp in each source. Their brokers repeat the
// password wherever a method has room for a text.
func (w *setup) amqpSinks() {
	brokers := map[string]string{"closed": "amqp://127.0.0.1:1"}
	for _, at := range []string{"raw", "authentication", "vhost", "exchange", "size", "forced", "blocked", "returned"} {
		brokers[at] = "amqp://" + w.serve(nil, amqpEcho(at)).addr
	}
	for _, source := range secretSources {
		for name, address := range brokers {
			password := w.secretValue(source, w.addCanary("sinks[].amqp.password", name, source).Text())
			w.sink("amqp-"+name+"-"+source, "amqp", map[string]any{
				"addresses": []string{address}, "user": "sink", "password": password, "returned": "permanent",
			})
		}
	}
}

// An amqpServer is the broker of one connection.
type amqpServer struct {
	net.Conn
	at, text string
	tag      uint64
}

// amqpEcho serves until a stage, and answers there with texts that contain the password.
func amqpEcho(at string) func(net.Conn) {
	return func(c net.Conn) {
		s, r := &amqpServer{Conn: c, at: at}, bufio.NewReader(c)
		if _, err := io.CopyN(io.Discard, r, 8); err != nil {
			return
		}
		s.method(0, 10, 10, []byte{0, 9}, long(""), long("PLAIN"), long("en_US"))
		for {
			kind, payload, err := readAMQP(r)
			switch {
			case err != nil:
				return
			case kind == 1:
				s.answer(payload)
			case kind == 2:
				s.published(payload)
			}
		}
	}
}

// readAMQP reads a frame: type, channel, size, payload and an end.
func readAMQP(r io.Reader) (kind byte, payload []byte, err error) {
	var head [7]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[3:])+1)
	_, err = io.ReadFull(r, payload)
	return head[0], payload[:len(payload)-1], err
}

// answer answers a method, which begins with its class and number.
func (s *amqpServer) answer(payload []byte) {
	switch class, method := binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:]); {
	case class == 10 && method == 11:
		s.authenticate(payload[4:])
	case class == 10 && method == 40:
		if s.at == "vhost" {
			s.method(0, 10, 50, number(530), short(s.text), number(10), number(40))
			return
		}
		s.method(0, 10, 41, short(""))
	case class == 20 && method == 10:
		s.method(1, 20, 11, long(""))
	case class == 85:
		s.method(1, 85, 11)
	}
}

// authenticate reads the properties of the client, the mechanism and its response.
func (s *amqpServer) authenticate(arguments []byte) {
	arguments = arguments[4+binary.BigEndian.Uint32(arguments):]
	arguments = arguments[1+arguments[0]:]
	response := arguments[4 : 4+binary.BigEndian.Uint32(arguments)]
	password := response[len("\x00sink\x00"):]
	s.text = fmt.Sprintf("%s %q %s", password, password, base64.StdEncoding.EncodeToString(response))
	switch s.at {
	case "raw":
		s.Write(response) // the client may have closed the connection
	case "authentication":
		s.method(0, 10, 50, number(403), short(s.text), number(10), number(11))
	default:
		s.method(0, 10, 30, number(0), []byte{0, 2, 0, 0}, number(60))
	}
}

// published answers a message when its header has arrived.
func (s *amqpServer) published(header []byte) {
	s.tag++
	switch s.at {
	case "exchange":
		s.method(1, 20, 40, number(404), short(s.text), number(60), number(40))
	case "size": // so that dead letters contain it too
		s.method(1, 20, 40, number(311), short(s.text), number(60), number(40))
	case "forced":
		s.method(0, 10, 50, number(320), short(s.text), number(0), number(0))
	case "blocked":
		s.method(0, 10, 60, short(s.text))
	case "returned":
		s.method(1, 60, 50, number(312), short(s.text), short(s.text), short(s.text))
		s.frame(2, 1, append(append(header[:4:4], make([]byte, 8)...), header[12:]...))
		s.method(1, 60, 80, binary.BigEndian.AppendUint64(nil, s.tag), []byte{0})
	}
}

func (s *amqpServer) method(channel, class, method int, arguments ...[]byte) {
	payload := append(number(class), number(method)...)
	for _, a := range arguments {
		payload = append(payload, a...)
	}
	s.frame(1, channel, payload)
}

func (s *amqpServer) frame(kind byte, channel int, payload []byte) {
	frame := append([]byte{kind}, number(channel)...)
	frame = append(binary.BigEndian.AppendUint32(frame, uint32(len(payload))), payload...)
	s.Write(append(frame, 0xce)) // the client may have closed the connection
}

func number(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

func short(text string) []byte {
	text = text[:min(len(text), 255)]
	return append([]byte{byte(len(text))}, text...)
}

func long(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

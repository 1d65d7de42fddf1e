// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// fakeServer accepts connections, and ignores everything but pings.
func fakeServer(t testing.TB) value.Address {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go answerPings(c)
		}
	}()
	return value.Address("nats://" + listener.Addr().String())
}

func answerPings(c net.Conn) {
	defer c.Close()
	_, _ = io.WriteString(c, `INFO {"server_id":"x","version":"2.14.0","proto":1,"headers":true,"max_payload":1048576}`+"\r\n")
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "PING") {
			_, _ = io.WriteString(c, "PONG\r\n")
		}
	}
}

// A script is a batch with a summary of the answers of the server.
type script struct {
	*batch
	stored  uint64          // largest reported number of stored messages
	refused map[uint64]bool // numbers of the messages with a permanent error
}

// next sends an event, if the batch may, or applies one answer.
func (s *script) next(t *testing.T, kind, number, count, code byte) error {
	if kind%8 == 0 {
		if s.ending || s.sent-s.batch.stored >= s.limit() {
			return nil
		}
		return s.step(t.Context())
	}
	seq := uint64(number % 20)
	if number >= 250 {
		seq = []uint64{math.MaxUint64, math.MaxInt64, math.MaxInt64 + 1, math.MaxInt64 + 2, math.MaxInt32, math.MaxUint32}[number-250]
	}
	r := s.answer(kind%8, seq, number, count, code)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	subject := s.link.inbox + s.id + ".500.fail." + strconv.FormatUint(seq, 10) + ".1.$FI"
	s.link.receive(&nats.Msg{Subject: subject, Data: data})
	return s.step(t.Context())
}

// answer returns an answer of the server, and notes what it reports.
func (s *script) answer(kind byte, seq uint64, number, count, code byte) (r reply) {
	n := int(count % 20)
	if count >= 253 {
		n = []int{math.MaxInt, math.MinInt, -1}[count-253]
	}
	failure := &serverError{Code: []int{10054, 10077, unknownBatch, 10205, tooManyBatches, 10060, 1}[code%7]}
	switch kind {
	case 1:
		r = reply{Type: typeStored, Seq: seq, Messages: n}
		s.stored = max(s.stored, seq)
	case 2:
		r = reply{Type: typeGap, Seq: seq}
	case 3:
		r = reply{Type: typeError, Seq: seq, Error: failure}
	case 4:
		r = reply{Error: failure}
	case 5:
		r = reply{Stream: streamOfTest, Batch: s.id, Count: n}
		s.stored = max(s.stored, uint64(max(n, 0)))
	case 6:
		r = reply{Stream: streamOfTest, Seq: uint64(number)}
		s.stored = max(s.stored, 1)
	case 7:
		r = reply{Type: strings.Repeat("x", int(code%2)), Stream: streamOfTest, Batch: strings.Repeat("y", int(number%2)), Count: n}
		s.stored = max(s.stored, 1)
	}
	if r.Error != nil && failure.row().verdict == permanent {
		s.refused[seq] = true
	}
	return r
}

func (s *script) check(t *testing.T, err error) {
	if s.sent > len(s.events) || s.batch.stored > s.sent || uint64(s.batch.stored) > s.stored {
		t.Errorf("%d events: %d sent, %d accepted, %d reported as stored", len(s.events), s.sent, s.batch.stored, s.stored)
	}
	if sink.Poisoned(err) > 0 && !s.refused[uint64(s.batch.stored)+1] {
		t.Errorf("event %d is blamed, but the server has refused %v", s.batch.stored+1, s.refused)
	}
}

// The server sends any answers in any order.
func FuzzAnswersToABatch(f *testing.F) {
	f.Add(byte(3), byte(4), []byte("\x00\x00\x00\x00\x01\x01\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x03\x00"))
	f.Add(byte(3), byte(4), []byte("\x00\x00\x00\x00\x01\x01\x0a\x00\x00\x00\x00\x00\x03\x02\x00\x00\x05\x00\x01\x00"))
	f.Add(byte(3), byte(4), []byte("\x00\x00\x00\x00\x01\xfa\x0a\x00\x00\x00\x00\x00\x03\xfa\x00\x00\x05\x00\xfd\x00"))
	f.Add(byte(2), byte(1), []byte("\x00\x00\x00\x00\x04\x01\x00\x00"))
	f.Add(byte(2), byte(1), []byte("\x00\x00\x00\x00\x06\x01\x00\x00"))
	f.Add(byte(17), byte(34), []byte("\x03\x08\x00\x00\x06\x01\x00\x00"))
	f.Add(byte(17), byte(34), []byte("\x01\x01\x00\x00\x04\x01\x00\x00"))
	c := config(fakeServer(f))
	s := newSink(f, c)
	if err := s.connect(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, events, window byte, answers []byte) {
		c.MaxInFlight = 1 + int(window%20)
		s.link.forget()
		s.link.batches, s.link.window = batchesUnknown, 1
		b := &script{refused: make(map[uint64]bool), batch: &batch{
			sink: s, link: s.link, id: "batch", middle: "batch.500.fail.", events: sinktest.Events(1, 2+int(events%20)),
		}}
		err := b.step(t.Context()) // sends the first one
		for ; len(answers) >= 4 && err == nil && !b.ended; answers = answers[4:] {
			err = b.next(t, answers[0], answers[1], answers[2], answers[3])
			b.check(t, nil)
		}
		if err == nil && b.ended {
			err = b.cause
		}
		b.check(t, b.outcome(err))
	})
}

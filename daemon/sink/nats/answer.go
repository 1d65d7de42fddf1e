// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// An answer is one message of the server about a published one, or a fault of the connection.
type answer struct {
	token string // of the message, the batch or the questions; empty for a fault of the connection
	index int    // of the event of a question
	seq   uint64 // in the batch, of the message that was answered; 0 for a message alone
	reply reply
	err   error // of the connection, or about the answer itself
}

// A reply is the text of an answer, in the form of the server's interface.
type reply struct {
	Type     string `json:"type"` // of an answer within a batch
	Seq      uint64 `json:"seq"`  // in the stream, or in the batch if Type is set
	Messages int    `json:"msgs"` // with typeStored: number of messages after which the server answers

	Error     *serverError `json:"error"`
	Stream    string       `json:"stream"`
	Duplicate bool         `json:"duplicate"`
	Batch     string       `json:"batch"`
	Count     int          `json:"count"` // number of messages that the ended batch has stored
}

// The values of reply.Type. They are those of batches only.
const (
	typeStored = "ack" // all messages up to this one are stored
	typeGap    = "gap" // a message was lost on the way to the stream
	typeError  = "err" // a message was refused
)

var errNoResponders = errors.New("no stream captures the subject")

// receive is called by the library for each answer.
func (l *link) receive(m *nats.Msg) { l.add(parseAnswer(strings.TrimPrefix(m.Subject, l.inbox), m)) }

// add never blocks the library. The sink asks again after a missing answer.
func (l *link) add(a answer) {
	select {
	case l.answers <- a:
	default:
	}
}

// parseAnswer parses the message to a reply subject without the inbox. It is the token of a
// message, or TOKEN.FLOW.GAP.SEQ.OPERATION.$FI in a batch. The token of a question is TOKEN-INDEX.
func parseAnswer(subject string, m *nats.Msg) (a answer) {
	var rest string
	a.token, rest, _ = strings.Cut(subject, ".")
	if token, index, ok := strings.Cut(a.token, "-"); ok {
		a.token = token
		a.index, _ = strconv.Atoi(index) // 0 if it is not ours
	}
	if fields := strings.Split(rest, "."); len(fields) == 5 {
		a.seq, _ = strconv.ParseUint(fields[2], 10, 64) // 0 if it is not ours
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		a.err = errNoResponders
		return a
	}
	if err := json.Unmarshal(m.Data, &a.reply); err != nil {
		a.err = errors.New("the answer is not one of JetStream; another program responds on this subject")
	} else if r := &a.reply; r.Type == "" && r.Error == nil && r.Stream == "" {
		a.err = errors.New("the answer does not name a stream; another program responds on this subject")
	}
	return a
}

// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"fmt"
	"strings"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/genltestd/genltestd/daemon/sink"
)

// A verdict is the meaning of a server's error for an event.
type verdict string

const (
	retry     verdict = "retry"
	permanent verdict = "dead letter"
)

// A row is the meaning of the errors whose text begins with prefix.
type row struct {
	prefix  string
	verdict verdict
	remedy  string
}

const noCluster = "the server is a node of Redis Cluster, which this kind does not support; use a server without cluster mode"

// answers is the whole policy. docs/sinks/redis.md shows it, and a test compares the two. The
// first row whose prefix matches decides; the last matches all.
//
// An error about one event is permanent. An error about configuration, authorization or the
// server's state is not.
var answers = []row{
	{"NOAUTH", retry, "the server requires a password; set `password`, and `user` for a user of its ACL"},
	{"WRONGPASS", retry, "the user is unknown or disabled, or the password is wrong; check `user` and `password`"},
	{"NOPERM", retry, "the ACL of the user does not allow the command or the key; allow `+xadd +multi +exec`, " +
		"`+select` with `database`, `+wait` with `replicas`, and the key as `~PATTERN`"},
	{"DENIED", retry, "the server accepts only clients on its own host until it has a password (protected mode)"},
	{"READONLY", retry, "the server is a replica; write the address of the primary as `address`"},
	{"ERR WAIT cannot be used", retry, "the server is a replica; write the address of the primary as `address`"},
	{"MASTERDOWN", retry, "the server is a replica without its primary; write the address of the primary as `address`"},
	{"LOADING", retry, "the server has started and still reads its data; wait"},
	{"BUSY", retry, "the server runs a script; wait, or end the script by SCRIPT KILL"},
	{"OOM", retry, "the memory limit of the server is reached; " +
		"raise `maxmemory` of the server, or limit the stream by `max_length` or `max_age`"},
	{"MISCONF", retry, "the server cannot write to its disk; make space there"},
	{"NOREPLICAS", retry, "fewer replicas are connected than `min-replicas-to-write` of the server requires"},
	{"WRONGTYPE", retry, "the key is not a stream; choose another `stream`, or delete the key"},
	{"MOVED", retry, noCluster},
	{"ASK", retry, noCluster},
	{"TRYAGAIN", retry, noCluster},
	{"CROSSSLOT", retry, noCluster},
	{"CLUSTERDOWN", retry, noCluster},
	{"ERR Protocol error: invalid bulk length", permanent, "the event is larger than `proto-max-bulk-len` of the server"},
	{"ERR Elements are too large", permanent, "the entry is larger than a stream can store"},
	{"ERR unknown command", retry, "the server is a Sentinel, is older than Redis 6.2, or has renamed commands; " +
		"write the address of a Redis server"},
	{"ERR max number of clients", retry, "raise `maxclients` of the server"},
	{"ERR AUTH", retry, "the server does not have a password; remove `password`"},
	{"ERR DB index", retry, "lower `database`, or raise `databases` of the server"},
	{"ERR SELECT is not allowed", retry, noCluster},
	{"ERR The stream has exhausted", retry, "the last id of the stream is the largest possible one; delete the stream"},
	{"", retry, "the meaning is not known, and events are kept in doubt"},
}

// aborted precedes the cause in the answer to EXEC, if the server refuses it.
const aborted = "EXECABORT Transaction discarded because of: "

// rowOf returns the row of a server's error.
func rowOf(e redigo.Error) row {
	text := strings.TrimPrefix(string(e), aborted)
	for _, r := range answers {
		if strings.HasPrefix(text, r.prefix) {
			return r
		}
	}
	return answers[len(answers)-1]
}

// maxError is the number of bytes of an error that are shown.
const maxError = 400

// failed returns the error of a connection or of the server. It adds the remedy.
func (s *Sink) failed(err error, ended error) error {
	text := s.env.Mask.Clean(err.Error(), maxError)
	if e := redigo.Error(""); errors.As(err, &e) {
		text += " (" + rowOf(e).remedy + ")"
	}
	return sink.WithText(fmt.Sprintf("%s: %s", s.config.Address, text), errors.Join(ended, sink.Untrusted(err)))
}

// refused returns the error of the server about one event.
func (s *Sink) refused(e redigo.Error) error {
	err := s.failed(e, nil)
	if rowOf(e).verdict == retry {
		return err
	}
	return sink.Permanent(sink.Refusal{Kind: sink.RefusedTooLarge}.Mark(err))
}

// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/reaper"
	"github.com/genltestd/genltestd/daemon/redact"
)

// A Kind is one kind of sink. Its package below this one contains everything about it;
// package sinks lists the kinds.
type Kind struct {
	Name      string        // the key in the configuration, such as "file"
	Summary   string        // one line for the documentation, such as "appends lines to a file"
	Reference []byte        // describes the keys; see the file reference.yaml of each kind
	New       func() Config // returns a pointer to a struct with the tags of package strict
	Words     []strict.VariantWords
}

// Variants returns the kinds for package strict.
func Variants(kinds []Kind) []strict.Variant {
	all := make([]strict.Variant, len(kinds))
	for i, k := range kinds {
		all[i] = strict.Variant{Key: k.Name, New: func() any { return k.New() }, Words: k.Words}
	}
	return all
}

// A Config is the decoded configuration of one sink: the value of the key of its kind.
type Config interface {
	// New returns a sink. It opens nothing that is known only at run time.
	New(env Env) (Sink, error)
}

// An Env contains the parts of the daemon that sinks use.
type Env struct {
	Version string // of the daemon
	Sink    string // the name of the sink
	Encoder event.Encoder
	Stdout  io.Writer
	Log     *slog.Logger
	Mask    *redact.Mask   // of secrets in texts from outside; nil is empty
	Reaper  *reaper.Reaper // of the children of programs; nil unless the daemon is process 1

	// Position is a file for the state of this sink, in the directory of the journal's cursors.
	// An empty path means no state across processes.
	Position string
	BootID   string // of this boot; may be empty
	// Compile returns an encoder of the names of a Template of this sink. The error is an
	// OptionError.
	Compile func(Template) (event.Encoder, error)
	// Now returns the time, and Age the time since another; nil means the machine's clock.
	Now func() time.Time
	Age func(time.Time) time.Duration
}

// The interfaces below are optional. The configuration of a kind of sink implements those
// that apply to it.

// An Enveloper has another default envelope than json.
type Enveloper interface{ DefaultEnvelope() string }

// A FieldWriter writes events as entries with fields of their own, without an envelope.
type FieldWriter interface{ HasOwnFields() bool }

// An AttributeHolder can send the attributes of a CloudEvent separately from the event.
type AttributeHolder interface {
	// CheckAttributes notes the keys of s, the section of the kind, that attributes replace.
	CheckAttributes(s strict.Section)
}

// A Templater has keys that are templates over the fields of events. They are checked with
// samples of all events when the configuration is read.
type Templater interface{ Templates() []Template }

// A Template is a key that is a template, such as the subject of a message.
type Template struct {
	Key  string // below the entry of the sink, such as "nats.subject"
	Text string
	// Replace appends the output of one action, such as {{.Host}}, with the characters
	// replaced that the other side does not allow; nil appends it unchanged. The output can
	// be empty.
	Replace func(dst, value []byte) []byte
	// Accept returns why a whole result is not valid; nil accepts all.
	Accept func(result []byte) error
}

// CompileAll returns an encoder for each Template.
func (e *Env) CompileAll(list []Template) ([]event.Encoder, error) {
	all := make([]event.Encoder, len(list))
	for i, t := range list {
		var err error
		if all[i], err = e.Compile(t); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// A Batcher has another default of the key batch_events than 256.
type Batcher interface{ DefaultBatchEvents() int }

// A SingleWorker may allow only one worker.
type SingleWorker interface {
	// WhyOneWorker returns the reason; empty if several workers are possible.
	WhyOneWorker() string
}

// A Claimer uses resources that no other sink may use.
type Claimer interface{ Claims() []Claim }

// A Claim is a file or socket that only one sink may use.
type Claim struct {
	Key    string // of the kind, such as "path"
	Name   string // two sinks must not have the same name at the same key
	Path   string // of the file or socket
	Advice string // what to do about two sinks with the same name
	Socket bool   // the path is that of a socket
	// Makes reports whether the sink creates and removes files of this name in the same
	// directory; nil if it does not.
	Makes func(name string) bool
}

// A Neighbor can conflict with another sink of its kind in a way that other keys, such as filter, may
// prevent.
type Neighbor interface {
	// Conflict returns the key of the kind, the reason why the other sink conflicts with it, and the
	// remedy; empty texts without a conflict.
	Conflict(other Config) (key, why string)
}

// A Peer connects to other programs.
type Peer interface{ Peers() []PeerSocket }

// TCPPeers returns the peers at the key addresses of a kind.
func TCPPeers(addresses []value.Address) []PeerSocket {
	peers := make([]PeerSocket, len(addresses))
	for i, a := range addresses {
		peers[i] = PeerSocket{Key: fmt.Sprintf("addresses[%d]", i), HostPort: a.HostPort()}
	}
	return peers
}

// A PeerSocket is a place that a sink connects to.
type PeerSocket struct {
	Key      string // of the kind, such as "address"
	Path     string // of a local socket, or
	HostPort string // of a TCP server
}

// A SlowSink needs a minimum of time for an attempt.
type SlowSink interface{ AttemptRule() AttemptRule }

// An AttemptRule is the minimum of the key attempt_timeout.
type AttemptRule struct {
	Key   string         // of the kind, such as "timeout"
	Least value.Duration // 0 without a minimum
	What  string         // of Least, for errors, such as "the program's timeout"
	Reads []string       // keys of the kind that Least depends on
}

// An Acceptor rejects some results of an envelope.
type Acceptor interface{ Accept(result []byte) error }

// A SizeLimiter refuses results of an envelope that are longer than MaxResult.
type SizeLimiter interface{ MaxResult() int }

// A Verifier finds faults that depend on the machine: a file that is missing, a text that does
// not compile. It uses no network.
type Verifier interface {
	// Verify returns OptionErrors, joined. The encoder writes the envelope of the sink.
	Verify(encoder event.Encoder) error
}

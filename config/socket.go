// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"unicode"
)

// Socket writes events as lines to a stream socket.
type Socket struct {
	// Mode says who connects.
	Mode SocketMode `yaml:"mode" default:"connect"`
	// Address says where: unix:///PATH, and to connect also tcp://HOST:PORT or
	// tls://HOST:PORT.
	Address string `yaml:"address" required:"true" example:"unix:///run/collector.sock"`
	// Acknowledge has the peer confirm each event.
	Acknowledge bool `yaml:"acknowledge" default:"false"`
	// TLS is for tls://.
	TLS TLS `yaml:"tls"`
	// MaxConnectionAge is how long a connection over TCP or TLS is used; 0 means no limit.
	MaxConnectionAge Duration `yaml:"max_connection_age" default:"10m" min:"0" max:"24h"`
	// Listen is for SocketListen.
	Listen SocketListener `yaml:"listen"`
}

// SocketListener is about a socket that others connect to.
type SocketListener struct {
	// Permissions are those of the socket, whatever the umask.
	Permissions FileMode `yaml:"permissions" default:"0660"`
	// Group is the name or number of the group that the socket belongs to; empty means
	// the daemon's.
	Group string `yaml:"group" default:""`
	// Buffer is how much may wait for one reader.
	Buffer Size `yaml:"buffer" default:"1MiB" min:"64KiB" max:"64MiB"`
	// MaxReaders is how many may be connected.
	MaxReaders int `yaml:"max_readers" default:"16" min:"1" max:"1024" unit:"readers"`
}

// SocketMode says who connects.
type SocketMode string

const (
	// SocketConnect writes to one peer.
	SocketConnect SocketMode = "connect"
	// SocketListen writes to everyone who connects.
	SocketListen SocketMode = "listen"
)

// UnmarshalText refuses what is none of the constants.
func (m *SocketMode) UnmarshalText(text []byte) error {
	return oneOf(m, text, SocketConnect, SocketListen)
}

// MarshalText is the inverse of UnmarshalText.
func (m SocketMode) MarshalText() ([]byte, error) { return []byte(m), nil }

var _ = []checker{(*Socket)(nil), (*SocketListener)(nil)}

func (k *Socket) check(s section) {
	if k.Mode == SocketListen {
		s.checkAddress("address", k.Address, "unix")
		if k.Acknowledge {
			s.errorf("acknowledge", "readers of a socket that listens confirm nothing; leave the key out, or write mode: connect")
		}
	} else {
		s.checkAddress("address", k.Address, "unix", "tcp", "tls")
	}
	s.checkNeeded(k.TLS, k.Address)
}

var _ conditional = (*Socket)(nil)

func (k *Socket) ineffective() []ineffective {
	if k.Mode == SocketListen {
		return []ineffective{{key: "max_connection_age", why: "with mode: listen; leave it out"}}
	}
	keys := []ineffective{{"listen", "without mode: listen; add that, or leave the key out", []string{"mode"}}}
	if scheme, _ := SplitAddress(k.Address); scheme == "unix" {
		keys = append(keys, ineffective{key: "max_connection_age", why: noConnectionAge("unix")})
	}
	return keys
}

func (l *SocketListener) check(s section) {
	if strings.ContainsFunc(l.Group, unicode.IsControl) {
		s.errorf("group", "%s has a control character; leave it out", quote(l.Group))
	}
}

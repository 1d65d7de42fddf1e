// SPDX-License-Identifier: Apache-2.0

package socket

import (
	_ "embed" // for the reference
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/stream"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
)

// Kind is the kind of sink that writes to a stream socket.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "socket", Summary: "writes lines to a unix, TCP or TLS peer, or to every client that connects",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "unix tcp tls ssl unix_socket tcp_socket unixsocket stream"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key socket.
type Config struct {
	// Mode is modeConnect or modeListen.
	Mode string `yaml:"mode" default:"connect" oneof:"connect listen"`
	// Address is unix:///PATH, or with modeConnect tcp://HOST:PORT or tls://HOST:PORT.
	Address value.Address `yaml:"address" required:"true" example:"unix:///run/collector.sock" path:"true"`
	// Acknowledge requires the peer to confirm each event; see confirm.go.
	Acknowledge bool `yaml:"acknowledge" default:"false"`
	// TLS is for tls://.
	TLS value.TLS `yaml:"tls"`
	// MaxConnectionAge limits the age of a connection over TCP or TLS; 0 means no limit.
	MaxConnectionAge value.Duration `yaml:"max_connection_age" default:"10m" min:"0" max:"24h"`
	// Listen is for modeListen.
	Listen Listen `yaml:"listen"`
}

const (
	modeConnect = "connect" // writes to one peer
	modeListen  = "listen"  // writes to every client that connects
)

// Listen is about a socket that readers connect to.
type Listen struct {
	// Permissions is the mode of the socket. The umask does not apply.
	Permissions value.FileMode `yaml:"permissions" default:"0660"`
	// Group is the name or number of the group of the socket; empty means the group of the
	// daemon.
	Group string `yaml:"group" default:""`
	// Buffer limits the bytes that wait for one reader.
	Buffer value.Size `yaml:"buffer" default:"1MiB" min:"64KiB" max:"64MiB"`
	// MaxReaders limits the number of connections.
	MaxReaders int `yaml:"max_readers" default:"16" min:"1" max:"1024" unit:"readers"`
}

var (
	_ sink.Config        = (*Config)(nil)
	_ sink.Claimer       = (*Config)(nil)
	_ sink.Peer          = (*Config)(nil)
	_ sink.SingleWorker  = (*Config)(nil)
	_ sink.Verifier      = (*Config)(nil)
	_ strict.Conditional = (*Config)(nil)
	_ strict.Foreign     = (*Config)(nil)
	_                    = []strict.Checker{(*Config)(nil), (*Listen)(nil)}
)

// Check implements strict.Checker.
func (k *Config) Check(s strict.Section) {
	if k.Mode == modeListen {
		k.Address.Check(s, "address", "unix")
		if k.Acknowledge {
			s.Errorf("acknowledge", "readers of a socket that listens confirm nothing; leave the key out, or write mode: connect")
		}
	} else {
		k.Address.Check(s, "address", "unix", "tcp", "tls")
	}
	k.TLS.CheckScheme(s, "tls", k.Address)
}

// Ineffective implements strict.Conditional.
func (k *Config) Ineffective() []strict.Ineffective {
	if k.Mode == modeListen {
		return []strict.Ineffective{{Key: "max_connection_age", Why: "with mode: listen; leave it out"}}
	}
	keys := []strict.Ineffective{{Key: "listen", Why: "without mode: listen; add that, or leave the key out", Beside: []string{"mode"}}}
	if k.Address.SocketPath() != "" {
		keys = append(keys, strict.Ineffective{Key: "max_connection_age", Why: stream.NoConnectionAge("unix")})
	}
	return keys
}

// Check implements strict.Checker.
func (l *Listen) Check(s strict.Section) {
	if strings.ContainsFunc(l.Group, unicode.IsControl) {
		s.Errorf("group", "%s has a control character; leave it out", strict.Quote(l.Group))
	}
}

// ForeignKeys implements strict.Foreign.
func (k *Config) ForeignKeys() []strict.ForeignKey {
	return append(value.TLSWords("tls."),
		strict.ForeignKey{Words: "host server port path url uri endpoint protocol network remote destination socket", Key: "address"},
		strict.ForeignKey{Words: "tcp unix", Advice: `write it as the scheme of "address", like tcp://collector.example.com:6514`},
		strict.ForeignKey{Words: "facility", Key: "^rfc5424.facility"},
		strict.ForeignKey{Words: "severity priority level", Key: "^rfc5424.severity"},
		strict.ForeignKey{Words: "tag app_name appname program ident identifier", Key: "^rfc5424.app_name"},
		strict.ForeignKey{Words: "format", Key: "^envelope"}, strict.ForeignKey{Words: "timeout", Key: "^attempt_timeout"})
}

// Claims implements sink.Claimer.
func (k *Config) Claims() []sink.Claim {
	if k.Mode != modeListen {
		return nil
	}
	return []sink.Claim{{
		Key: "address", Name: string(k.Address), Path: k.Address.SocketPath(), Socket: true,
		Advice: "one listens at a socket: give each sink its own",
	}}
}

// Peers implements sink.Peer.
func (k *Config) Peers() []sink.PeerSocket {
	if k.Mode != modeConnect {
		return nil
	}
	return []sink.PeerSocket{{Key: "address", Path: k.Address.SocketPath(), HostPort: k.Address.HostPort()}}
}

// WhyOneWorker implements sink.SingleWorker.
func (k *Config) WhyOneWorker() string {
	if k.Mode == modeListen {
		return "a socket that others connect to is one"
	}
	return ""
}

// New implements sink.Config.
func (k *Config) New(env sink.Env) (sink.Sink, error) {
	if k.Mode == modeListen {
		return NewListener(k, env), nil
	}
	return NewClient(k, env), nil
}

// Verify implements sink.Verifier. It looks up the group, or reads the TLS files.
func (k *Config) Verify(event.Encoder) error {
	if k.Mode == modeListen {
		if _, err := groupID(k.Listen.Group); err != nil {
			return &sink.OptionError{Key: "socket.listen.group", Err: err}
		}
		return nil
	}
	if scheme, _ := k.Address.Split(); scheme != "tls" {
		return nil
	}
	return tlsclient.Check(&k.TLS, "socket.tls")
}

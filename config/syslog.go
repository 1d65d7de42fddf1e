// SPDX-License-Identifier: Apache-2.0

package config

// Syslog sends events to a syslog server.
type Syslog struct {
	// Address says how and where: unixgram:///PATH, unixstream:///PATH,
	// udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT.
	Address string `yaml:"address" default:"unixgram:///dev/log"`
	// Framing says how messages are told apart in a stream.
	Framing SyslogFraming `yaml:"framing" default:"octet_counting"`
	// MaxMessage is the longest message that the server takes. A longer one is refused
	// for good.
	MaxMessage Size `yaml:"max_message" default:"8KiB" min:"480" max:"1MiB"`
	// TLS is for tls://.
	TLS TLS `yaml:"tls"`
	// MaxConnectionAge is how long a connection over TCP or TLS is used; 0 means no limit.
	MaxConnectionAge Duration `yaml:"max_connection_age" default:"10m" min:"0" max:"24h"`
}

// SyslogFraming says how messages are told apart in a stream.
type SyslogFraming string

const (
	// SyslogOctetCounting puts the length before each message.
	SyslogOctetCounting SyslogFraming = "octet_counting"
	// SyslogNewline ends each with a line feed.
	SyslogNewline SyslogFraming = "newline"
)

// UnmarshalText refuses what is none of the constants.
func (f *SyslogFraming) UnmarshalText(text []byte) error {
	return oneOf(f, text, SyslogOctetCounting, SyslogNewline)
}

// MarshalText is the inverse of UnmarshalText.
func (f SyslogFraming) MarshalText() ([]byte, error) { return []byte(f), nil }

var _ checker = (*Syslog)(nil)

func (y *Syslog) check(s section) {
	if y.Address == "" {
		s.errorf("address", "is empty; write one, or leave the key out for unixgram:///dev/log")
	}
	s.checkAddress("address", y.Address, "unixgram", "unixstream", "udp", "tcp", "tls")
	s.checkNeeded(y.TLS, y.Address)
}

var _ conditional = (*Syslog)(nil)

func (y *Syslog) ineffective() (keys []ineffective) {
	scheme, _ := SplitAddress(y.Address)
	switch scheme {
	case "udp", "unixgram":
		keys = append(keys, ineffective{key: "framing", why: "with " + scheme + ", where each message is a datagram; leave it out, or write an address that begins with tcp://, tls:// or unixstream://"})
		fallthrough
	case "unixstream":
		keys = append(keys, ineffective{key: "max_connection_age", why: noConnectionAge(scheme)})
	}
	return keys
}

// noConnectionAge explains that max_connection_age is for connections to a host.
func noConnectionAge(scheme string) string {
	return "with " + scheme + ", which has no connection to a host; leave it out, or write an address that begins with tcp:// or tls://"
}

// checkNeeded refuses settings that would not be used.
func (s section) checkNeeded(t TLS, address string) {
	if scheme, _ := SplitAddress(address); scheme != "tls" && t != (TLS{}) {
		s.errorf("tls", "is of no use with this address; write one that begins with tls://, or leave the key out")
	}
}

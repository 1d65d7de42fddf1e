// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"io/fs"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/socket"
	"github.com/genltestd/genltestd/daemon/sink/stream"
	"github.com/genltestd/genltestd/daemon/sink/syslog"
)

func syslogOptions(c *config.Syslog, encoder event.Encoder) syslog.Options {
	network, address := config.SplitAddress(c.Address)
	return syslog.Options{
		Network: network, Address: address, TLS: tlsOptions(c.TLS),
		Framing: syslog.Framing(c.Framing), MaxMessage: int(c.MaxMessage), Encoder: encoder,
		MaxConnectionAge: time.Duration(c.MaxConnectionAge),
	}
}

func newSocket(c *config.Socket, encoder event.Encoder, mask *redact.Mask) sink.Sink {
	if c.Mode == config.SocketListen {
		return socket.NewListener(listenerOptions(c, encoder))
	}
	o := clientOptions(c, encoder)
	o.Stream.Mask = mask
	return socket.NewClient(o)
}

func checkSocket(c *config.Socket) error {
	if c.Mode == config.SocketListen {
		return listenerOptions(c, nil).Check()
	}
	return clientOptions(c, nil).Check()
}

func clientOptions(c *config.Socket, encoder event.Encoder) socket.ClientOptions {
	network, address := config.SplitAddress(c.Address)
	return socket.ClientOptions{
		Stream: stream.Options{
			Network: network, Address: address, TLS: tlsOptions(c.TLS), MaxConnectionAge: time.Duration(c.MaxConnectionAge),
		},
		Acknowledge: c.Acknowledge, Encoder: encoder,
	}
}

func listenerOptions(c *config.Socket, encoder event.Encoder) socket.ListenerOptions {
	_, path := config.SplitAddress(c.Address)
	return socket.ListenerOptions{
		Path: path, Mode: fs.FileMode(c.Listen.Permissions), Group: c.Listen.Group,
		Buffer: int(c.Listen.Buffer), MaxReaders: c.Listen.MaxReaders, Encoder: encoder,
	}
}

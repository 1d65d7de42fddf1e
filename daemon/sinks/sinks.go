// SPDX-License-Identifier: Apache-2.0

// Package sinks lists the kinds of sinks.
package sinks

import (
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/amqp"
	"github.com/genltestd/genltestd/daemon/sink/exec"
	"github.com/genltestd/genltestd/daemon/sink/file"
	"github.com/genltestd/genltestd/daemon/sink/journald"
	"github.com/genltestd/genltestd/daemon/sink/kafka"
	"github.com/genltestd/genltestd/daemon/sink/mqtt"
	"github.com/genltestd/genltestd/daemon/sink/nats"
	"github.com/genltestd/genltestd/daemon/sink/otlp"
	"github.com/genltestd/genltestd/daemon/sink/redis"
	"github.com/genltestd/genltestd/daemon/sink/socket"
	"github.com/genltestd/genltestd/daemon/sink/stdout"
	"github.com/genltestd/genltestd/daemon/sink/syslog"
	"github.com/genltestd/genltestd/daemon/sink/udp"
	"github.com/genltestd/genltestd/daemon/sink/webhook"
)

// Kinds returns every kind, in the order of the documentation. The first is the default.
func Kinds() []sink.Kind {
	return []sink.Kind{
		stdout.Kind(),
		file.Kind(),
		webhook.Kind(),
		socket.Kind(),
		syslog.Kind(),
		journald.Kind(),
		exec.Kind(),
		udp.Kind(),
		nats.Kind(),
		mqtt.Kind(),
		otlp.Kind(),
		amqp.Kind(),
		redis.Kind(),
		kafka.Kind(),
	}
}

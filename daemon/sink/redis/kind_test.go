// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"testing"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// The rights of the user are the smallest that docs/sinks/redis.md describes.
func TestKind(t *testing.T) {
	const password = "canary-password-4711"
	sinktest.Run(t, sinktest.Kind{
		Hostile: 20_000, Secrets: []string{password},
		New: func(t *testing.T) (sink.Sink, sinktest.Destination) {
			s := startServer(t, "--user", "sink", "on", ">"+password, "~genltestd*", "+xadd", "+multi", "+exec")
			c := s.config()
			c.User, c.Password = "sink", value.Inline(password)
			return newSink(t, c), s
		},
	})
}

// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/fields"
)

// maxVariable is what a variable may have: execve(2) refuses one of 128 KiB, and
// would refuse the event for ever. Its encoding on standard input has it all.
const maxVariable = 64 << 10

// baseEnvironment is what every program has. Nothing is the daemon's own: there are
// the addresses of systemd's sockets and the place of its credentials.
func baseEnvironment(more []Variable) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	for _, v := range more {
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// eventVariables tell of the event; the text stands as it is, byte for byte.
func eventVariables(namer *fields.Namer, e *event.Event) []string {
	var env []string
	add := func(name, value []byte) {
		if len(value) <= maxVariable && bytes.IndexByte(value, 0) < 0 {
			env = append(env, string(name)+"="+string(value))
		}
	}
	add([]byte("GENLTEST_MESSAGE"), e.AppendText(nil))
	namer.Each(e, add)
	return env
}

// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"encoding/base64"

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

// eventVariables tell of the event. What a script does with a variable is mostly to
// print it, or to hand it to a program that reads lines, so they have escapes; the
// exact text of one that has them is there in base64.
func eventVariables(namer *fields.Namer, e *event.Event) []string {
	var env []string
	add := func(name string, value []byte) {
		if len(value) <= maxVariable && bytes.IndexByte(value, 0) < 0 {
			env = append(env, name+"="+string(value))
		}
	}
	text, exact := e.AppendShown(nil)
	add(fields.Message, text)
	if !exact {
		add(fields.MessageBase64, base64.StdEncoding.AppendEncode(nil, e.Message))
	}
	namer.Each(e, func(name, value []byte) { add(string(name), value) })
	return env
}

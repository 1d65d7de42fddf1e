// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"encoding/base64"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/fields"
)

// maxVariable is the maximum size of a variable, in bytes: execve(2) rejects one of 128
// KiB, and would reject the event on every attempt. The encoded event on standard input is
// complete.
const maxVariable = 64 << 10

// baseEnvironment is the environment of every program. It contains no variable of the
// daemon, whose environment has the addresses of systemd's sockets and the place of its
// credentials.
func baseEnvironment(more []Variable) []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	for _, v := range more {
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// eventVariables describe the event. A script usually prints a variable, or passes it to a
// program that reads lines. So variables are escaped, and the exact text of an escaped one
// is added in base64.
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

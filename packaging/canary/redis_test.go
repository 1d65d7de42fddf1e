// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"fmt"
	"net"
	"strings"
)

// redisSinks adds sinks of the kind redis. Their servers repeat the first command, AUTH, in
// their answers.
func (w *setup) redisSinks() {
	for i, format := range []string{"-ERR %s\r\n", "-WRONGPASS %s\r\n", "+OK\r\n-%s\r\n", "$99999999\r\n%s\r\n", "%s\r\n", ":%s\r\n"} {
		for _, source := range secretSources {
			w.sink(fmt.Sprintf("redis-%d-%s", i, source), "redis", map[string]any{
				"address": "redis://" + w.serve(nil, redisEcho(format)).addr, "user": "sink",
				"password": w.secretValue(source, w.addCanary("sinks[].redis.password", "", source).Text()),
			}, "attempt_timeout", "300ms")
		}
	}
}

// redisEcho answers each command with an error that contains the command.
func redisEcho(format string) func(net.Conn) {
	return func(c net.Conn) {
		for buffer := make([]byte, 4096); ; {
			n, err := c.Read(buffer)
			if err != nil {
				return
			}
			fmt.Fprintf(c, format, strings.ReplaceAll(string(buffer[:n]), "\r\n", " ")) // the client may have closed the connection
		}
	}
}

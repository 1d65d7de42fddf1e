// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bufio"
	"fmt"
	"net"
	"strings"
)

// natsSinks adds sinks for each secret of the kind nats. Their servers repeat the request of
// the client in their errors. A seed is never sent: the canary makes it invalid.
func (w *setup) natsSinks() {
	echo := "nats://" + w.serve(nil, natsEcho("-ERR '%s'\r\n")).addr
	refuse := "nats://" + w.serve(nil, natsEcho("-ERR 'Authorization Violation %s'\r\n")).addr
	for i, source := range secretSources {
		add := func(key, text string, more ...any) {
			options := map[string]any{"addresses": []string{[]string{echo, refuse}[i%2]}}
			options[key] = w.secretValue(source, strings.ReplaceAll(text, "CANARY", w.addCanary("sinks[].nats."+key, "", source).Text()))
			for j := 0; j+1 < len(more); j += 2 {
				options[more[j].(string)] = more[j+1]
			}
			w.sink(fmt.Sprintf("nats-%s-%s", key, source), "nats", options)
		}
		add("token", "CANARY")
		add("password", "CANARY", "user", "sink")
		add("nkey", "SUACANARY")
	}
	text := strings.ReplaceAll("-----BEGIN NATS USER JWT-----\nCANARY.CANARY.CANARY\n------END NATS USER JWT------\n"+
		"-----BEGIN USER NKEY SEED-----\nSUACANARY\n------END USER NKEY SEED------\n", "CANARY",
		w.addCanary("sinks[].nats.credentials", "", "file").Text())
	w.sink("nats-credentials", "nats", map[string]any{"addresses": []string{echo}, "credentials": w.write(text, "secrets", "creds")})
	w.sink("nats-closed", "nats", map[string]any{"addresses": []string{"nats://127.0.0.1:1"}})
}

// natsEcho answers the first line of a client with an error that contains it.
func natsEcho(format string) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprint(c, `INFO {"server_id":"X","version":"2.14.0","headers":true,"max_payload":1048576,"nonce":"abc"}`+"\r\n")
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprintf(c, format, strings.TrimSpace(line)) // the client may have closed the connection
	}
}

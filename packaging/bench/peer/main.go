// SPDX-License-Identifier: Apache-2.0

// Command peer is the other side of a sink in the benchmark. It is a separate process,
// so its CPU time does not count as the daemon's. It accepts and discards all events.
//
// peer webhook answers each request with 204 after it has read the body; peer socket
// PATH reads from a unix socket; peer confirm PATH reads lines there, and confirms them
// by the id of the last event. It prints its address, and ends when its standard input
// is closed.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	flag.Parse()
	if err := run(flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run(kind, path string) error {
	network, address, serve := "unix", path, each(discard)
	switch kind {
	case "webhook":
		network, address, serve = "tcp", "127.0.0.1:0", serveHTTP
	case "confirm":
		serve = each(confirm)
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	go serve(l)
	fmt.Println("at", l.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, l.Close())
}

func serveHTTP(l net.Listener) {
	server := http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusNoContent
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
	})}
	_ = server.Serve(l) // until the listener is closed
}

// each calls f for every connection, until f fails.
func each(f func(net.Conn) error) func(net.Listener) {
	return func(l net.Listener) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = f(conn) // the sink reports events that were not accepted
			}()
		}
	}
}

const readBytes = 256 << 10

func discard(conn net.Conn) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, readBytes))
	return err
}

// idPrefix is the start of a line of the JSON envelope.
const idPrefix = `{"id":"`

// confirm answers whenever it has read all available lines.
func confirm(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, readBytes)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if in.Buffered() > 0 {
			continue
		}
		id, _, ok := bytes.Cut(bytes.TrimPrefix(line, []byte(idPrefix)), []byte{'"'})
		if !ok {
			return fmt.Errorf("line without an id: %q", line)
		}
		if _, err := conn.Write(append(id[:len(id):len(id)], '\n')); err != nil {
			return err
		}
	}
}

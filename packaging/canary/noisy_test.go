// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// A moment is a point in the life of a connection at which a noisy server sends unsolicited data.
type moment string

const (
	onAccept      moment = "accept"     // before the client has sent data
	onHead        moment = "head"       // after the head of the request, before its body
	inHead        moment = "in-head"    // within the head of the response
	inBody        moment = "in-body"    // within the body of the response
	afterResponse moment = "behind"     // directly after the response
	idle          moment = "idle"       // while the connection is idle
	idleAnswer    moment = "idle-200"   // idle, a complete response
	idleRefusal   moment = "idle-408"   // idle, a response that the transport recognizes
	idleEnd       moment = "idle-close" // idle, before closing the connection
)

var moments = []moment{onAccept, onHead, inHead, inBody, afterResponse, idle, idleAnswer, idleRefusal, idleEnd}

const ok200 = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// noisyHTTP1 answers every request with 200, and repeats the head of the request at a moment. Before
// the first request it sends all planted texts instead.
func noisyHTTP1(at moment, allTexts string) func(net.Conn) {
	return func(c net.Conn) {
		if at == onAccept {
			send(c, allTexts)
		}
		in := bufio.NewReader(c)
		for requestNumber := 0; ; requestNumber++ {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			text := strings.Join(requestTexts(r, requestNumber), "\n")
			if at == onHead {
				send(c, text)
			}
			io.Copy(io.Discard, r.Body) // the client may have closed the connection
			answer(c, at, text)
		}
	}
}

func answer(c net.Conn, at moment, text string) {
	line := strings.ReplaceAll(text, "\n", " ")
	switch at {
	case inHead:
		send(c, "HTTP/1.1 200 OK\r\nX-Repeated: "+line+"\r\n"+line+"\r\nContent-Length: 0\r\n\r\n")
	case inBody:
		send(c, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(text), text, text))
	case afterResponse:
		send(c, ok200+text)
	default:
		send(c, ok200)
		time.Sleep(200 * time.Millisecond) // until the connection is idle
	}
	switch at {
	case idle:
		send(c, text)
	case idleAnswer:
		send(c, fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Repeated: %s\r\nContent-Length: %d\r\n\r\n%s", line, len(text), text))
	case idleRefusal:
		send(c, "HTTP/1.1 408 "+line+"\r\nConnection: close\r\n\r\n"+text)
	case idleEnd:
		send(c, text)
		c.Close()
	}
}

func send(c io.Writer, text string) { io.WriteString(c, text) } // the client may have closed the connection

// inHandshake sends text instead of TLS, before or after the client's first message.
func inHandshake(first bool, text string) func(net.Conn) {
	return func(c net.Conn) {
		if first {
			c.Read(make([]byte, 4096)) // the client may have closed the connection
		}
		send(c, text)
		io.Copy(io.Discard, c) // until the client closes it
	}
}

// frame returns an HTTP/2 frame.
func frame(kind, flags byte, stream uint32, payload string) string {
	n := len(payload)
	return string([]byte{
		byte(n >> 16), byte(n >> 8), byte(n), kind, flags,
		byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream),
	}) + payload
}

// frames returns invalid or unsolicited HTTP/2 frames that contain a text. stream is the stream
// of a request.
var frames = map[string]func(stream uint32, text string) string{
	"data-idle":    func(_ uint32, text string) string { return frame(0, 0, 9999, text) },
	"data-zero":    func(_ uint32, text string) string { return frame(0, 0, 0, text) },
	"data-done":    func(id uint32, text string) string { return frame(0, 0, id, text) },
	"headers-done": func(id uint32, text string) string { return frame(1, 4, id, "\x88\x00\x04told\x7f\x10"+text) },
	"reset":        func(id uint32, text string) string { return frame(3, 0, id, text[:4]) },
	"settings":     func(_ uint32, text string) string { return frame(4, 0, 0, text[:len(text)/6*6]) },
	"settings-cut": func(_ uint32, text string) string { return frame(4, 0, 0, text[:7]) },
	"push":         func(id uint32, text string) string { return frame(5, 4, id, "\x00\x00\x00\x02"+text) },
	"ping":         func(_ uint32, text string) string { return frame(6, 0, 0, text[:8]) + frame(6, 1, 0, text[8:16]) },
	"ping-long":    func(_ uint32, text string) string { return frame(6, 0, 0, text) },
	"go-away":      func(_ uint32, text string) string { return frame(7, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x0b"+text) },
	"go-away-done": func(id uint32, text string) string {
		return frame(7, 0, 0, string(binary.BigEndian.AppendUint64(nil, uint64(id)<<32))+text)
	},
	"window":       func(_ uint32, text string) string { return frame(8, 0, 0, text[:4]) },
	"continuation": func(id uint32, text string) string { return frame(9, 0, id, text) },
	"alt-svc":      func(_ uint32, text string) string { return frame(10, 0, 0, "\x00\x00"+text) },
	"origin":       func(_ uint32, text string) string { return frame(12, 0, 0, text) },
	"unknown":      func(_ uint32, text string) string { return frame(0xee, 0xff, 0, text) },
	"too-long":     func(id uint32, text string) string { return frame(0, 0, id, strings.Repeat(text, 200)) },
	"http-1":       func(_ uint32, text string) string { return "HTTP/1.1 200 OK\r\nX-Repeated: " + text + "\r\n\r\n" },
	"garbage":      func(_ uint32, text string) string { return text },
}

// noisyHTTP2 answers every request with 200, and sends a frame before the settings, after them,
// or after the response.
func noisyHTTP2(when int, unsolicited func(stream uint32) string) func(net.Conn) {
	return func(c net.Conn) {
		if when == 0 {
			send(c, unsolicited(1))
		}
		if _, err := io.ReadFull(c, make([]byte, len(http2Preface))); err != nil {
			return
		}
		send(c, frame(4, 0, 0, ""))
		if when == 1 {
			send(c, unsolicited(1))
		}
		head := make([]byte, 9)
		for {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			kind, flags, n := head[3], head[4], int64(head[0])<<16|int64(head[1])<<8|int64(head[2])
			io.CopyN(io.Discard, c, n) // seen by the next read
			id := uint32(head[5])<<24 | uint32(head[6])<<16 | uint32(head[7])<<8 | uint32(head[8])
			switch {
			case kind == 4 && flags&1 == 0:
				send(c, frame(4, 1, 0, ""))
			case (kind == 0 || kind == 1) && flags&1 != 0:
				send(c, frame(1, 5, id, "\x88")) // status 200, and no more
				if when == 2 {
					time.Sleep(200 * time.Millisecond) // until the connection is idle
					send(c, unsolicited(id))
				}
			}
		}
	}
}

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// noisyLines sends all planted texts at a moment to a sink that writes lines.
func noisyLines(at moment, allTexts string) func(net.Conn) {
	return func(c net.Conn) {
		if at == onAccept {
			send(c, allTexts)
		}
		buf := make([]byte, 64<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			send(c, allTexts)
			if at == idleEnd {
				return
			}
		}
	}
}

// A noisyServer is a server that receives the secrets of one sink.
type noisyServer struct{ own atomic.Pointer[string] }

// serve starts a server. The sink for it is created afterwards. Its secrets are known when the
// first connection arrives.
func (k *noisyServer) serve(w *setup, c *tls.Config, fault func(own string) func(net.Conn)) string {
	none := ""
	k.own.Store(&none)
	return w.serve(c, func(conn net.Conn) { fault(*k.own.Load())(conn) }).addr
}

func (k *noisyServer) learnSecrets(texts []string) {
	text := strings.Repeat(strings.Join(texts, " ")+" ", 3)
	k.own.Store(&text)
}

// noisyServers adds sinks whose receivers send unsolicited data. It returns the names of the sinks,
// which may deliver successfully.
func (w *setup) noisyServers() (names []string) {
	ca := sinktest.NewCA(w.t)
	good, h2 := serverTLS(w.t, ca, "good", time.Hour), serverTLS(w.t, ca, "h2", time.Hour)
	h2.NextProtos = []string{"h2"}
	trusted := map[string]any{"ca": ca.File}
	add := func(name, kind string, options map[string]any) {
		names = append(names, "talk-"+name)
		w.sink("talk-"+name, kind, options)
	}
	hook := func(name, scheme string, c *tls.Config, fault func(own string) func(net.Conn)) {
		k := new(noisyServer)
		address := k.serve(w, c, fault)
		w.recentTexts = nil
		w.hooks++
		options := w.identity(w.hooks%3, scheme+"://"+address, secretSources[w.hooks%len(secretSources)])
		k.learnSecrets(w.recentTexts)
		options["batch"] = "none" // so that connections are reused
		if scheme == "https" {
			options["tls"] = trusted
		}
		add(name, "webhook", options)
	}
	for _, at := range moments {
		hook(string(at), "http", nil, func(own string) func(net.Conn) { return noisyHTTP1(at, own) })
		hook("tls-"+string(at), "https", good, func(own string) func(net.Conn) { return noisyHTTP1(at, own) })
	}
	for name, unsolicited := range frames {
		for when := range 3 {
			hook(fmt.Sprintf("h2-%s-%d", name, when), "https", h2, func(own string) func(net.Conn) {
				return noisyHTTP2(when, func(stream uint32) string { return unsolicited(stream, own) })
			})
		}
	}
	for i, first := range []bool{true, false} {
		hook(fmt.Sprintf("handshake-%d", i), "https", nil, func(own string) func(net.Conn) { return inHandshake(first, own) })
		hook(fmt.Sprintf("alert-%d", i), "https", nil, func(own string) func(net.Conn) {
			return inHandshake(first, "\x15\x03\x03\x00\x02\x02\x28"+own)
		})
	}
	allTexts := strings.Join(w.allTexts(), " ") // because these sinks lack secrets
	for _, kind := range []string{"socket", "syslog"} {
		for _, at := range []moment{onAccept, idle, idleEnd} {
			add(fmt.Sprintf("%s-tls-%s", kind, at), kind, map[string]any{
				"address": "tls://" + w.serve(good, noisyLines(at, allTexts)).addr, "tls": trusted,
			})
			add(fmt.Sprintf("%s-tcp-%s", kind, at), kind, map[string]any{"address": "tcp://" + w.serve(nil, noisyLines(at, allTexts)).addr})
		}
		for i, first := range []bool{true, false} {
			add(fmt.Sprintf("%s-handshake-%d", kind, i), kind, map[string]any{
				"address": "tls://" + w.serve(nil, inHandshake(first, allTexts)).addr, "tls": trusted,
			})
		}
	}
	return names
}

// wantLibraries waits until a library has logged something. Otherwise the test would not check
// libraries. The log must not contain the text.
func (e *leakSearch) wantLibraries(d *running) {
	poll.UntilNil(d.w.t, "a library logs", func() error {
		log := d.stderr.Bytes()
		if !bytes.Contains(log, []byte("function=net/http.(*persistConn)")) {
			return errors.New("nothing of the transport's is logged")
		}
		return nil
	})
	if log := d.stderr.Bytes(); bytes.Contains(log, []byte("Unsolicited")) {
		e.Error("the text of a library is in the log")
	}
}

// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// status sends a correct response, with header lines and a body.
func status(code int, body string, header ...string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.recordRequest(req)
		var b bytes.Buffer
		fmt.Fprintf(&b, "HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n", code, len(body))
		for _, line := range header {
			b.WriteString(line + "\r\n")
		}
		b.WriteString("\r\n" + body)
		_, err := c.Write(b.Bytes())
		return err == nil
	}
}

// raw writes text after the request and closes.
func raw(text string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.recordRequest(req)
		io.WriteString(c, text) // the client may have disconnected
		return false
	}
}

// echo sends the request back in place of a response, as a port of another service
// might.
func echo(_ *faultServer, c net.Conn, req *http.Request) bool {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.Write(c) // the client may have disconnected
	return false
}

// reset answers the beginning of a request with a TCP reset.
func reset(_ *faultServer, c net.Conn, _ *http.Request) bool {
	resetConn(c)
	return false
}

// resetLate answers with a TCP reset when the whole request has arrived.
func resetLate(f *faultServer, c net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	resetConn(c)
	return false
}

func resetConn(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	c.(*net.TCPConn).SetLinger(0) // without it the connection ends in order, which is another fault
}

// drop closes in order when the whole request has arrived, without an answer.
func drop(f *faultServer, _ net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	return false
}

// halfClose closes its sending side, and continues to read.
func halfClose(f *faultServer, c net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	io.Copy(io.Discard, c) // until the client closes
	return false
}

// hang reads the request and is silent until the client disconnects.
func hang(f *faultServer, c net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	io.Copy(io.Discard, c) // until the client closes
	return false
}

// slow writes text one byte at a time, endlessly.
func slow(head, text string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.recordRequest(req)
		if _, err := io.WriteString(c, head); err != nil {
			return false
		}
		for i := 0; ; i++ {
			select {
			case <-f.stop:
				return false
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
				return false
			}
		}
	}
}

// endless writes a response that does not end, as fast as it can.
func endless(head string) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		f.recordRequest(req)
		chunk := bytes.Repeat([]byte("x"), 1<<16)
		_, err := io.WriteString(c, head)
		for ; err == nil; _, err = c.Write(chunk) {
			if f.stopped() {
				return false
			}
		}
		return false
	}
}

func (f *faultServer) stopped() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}

// closeAfterResponse answers correctly, and closes the connection without announcing it.
func closeAfterResponse(f *faultServer, c net.Conn, req *http.Request) bool {
	status(http.StatusOK, "")(f, c, req)
	return false
}

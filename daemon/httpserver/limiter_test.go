// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// pipes is a listener with connections in memory. It can return errors.
type pipes struct {
	conns chan net.Conn
	fails chan error
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), fails: make(chan error)} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case err := <-p.fails:
		return nil, err
	case c, ok := <-p.conns:
		if !ok {
			return nil, net.ErrClosed
		}
		return c, nil
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.conns) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// dial returns the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// get sends a request and returns the body of the answer.
func get(c net.Conn, path string) (string, error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return "", err
	}
	return answer(c)
}

func answer(c net.Conn) (string, error) {
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// isClosed reports whether the other end has closed the connection.
func isClosed(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond)) // a pipe supports it
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// serveLimited runs a server that answers at once, except to /wait, where it waits for wait.
func serveLimited(t *testing.T, most int) (p *pipes, wait chan struct{}) {
	t.Helper()
	p, wait = newPipes(), make(chan struct{})
	s := New(p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-wait
		}
		fmt.Fprint(w, "done")
	}), Options{MaxConns: most}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return p, wait
}

// TestIdleConnectionsDoNotBlockOtherClients uses connections with nothing sent, with half
// a request, and with a completed request.
func TestIdleConnectionsDoNotBlockOtherClients(t *testing.T) {
	for name, first := range map[string]string{
		"nothing sent": "", "half a request": "GET / HTTP/1.1\r\nHo", "a request answered": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := serveLimited(t, 4)
				var idle []net.Conn
				for range 4 {
					c := p.dial()
					if _, err := io.WriteString(c, first); err != nil {
						t.Fatal(err)
					}
					if strings.HasSuffix(first, "\r\n\r\n") {
						if _, err := answer(c); err != nil {
							t.Fatal(err)
						}
					}
					idle = append(idle, c)
					time.Sleep(time.Millisecond)
				}
				c := p.dial()
				if body, err := get(c, "/"); body != "done" || err != nil {
					t.Errorf("the fifth connection: %q, %v", body, err)
				}
				for i, other := range append(idle, c) {
					if closed := isClosed(other); closed != (i == 0) {
						t.Errorf("connection %d closed: %v; want only the oldest closed", i, closed)
					}
					other.Close()
				}
			})
		})
	}
}

// TestAConnectionIsNotClosedBeforeItsRequestCanArrive opens many others in between.
func TestAConnectionIsNotClosedBeforeItsRequestCanArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := serveLimited(t, 2)
		var others []net.Conn
		slow := p.dial()
		var flood sync.WaitGroup
		flood.Go(func() {
			for range 10 {
				others = append(others, p.dial())
			}
		})
		time.Sleep(minIdle / 2)
		if body, err := get(slow, "/"); body != "done" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
		flood.Wait()
		for _, c := range append(others, slow) {
			c.Close()
		}
	})
}

func TestAConnectionWhoseRequestIsBeingAnsweredStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, wait := serveLimited(t, 2)
		answers := make(chan string, 2)
		var busy []net.Conn
		for range 2 {
			c := p.dial()
			busy = append(busy, c)
			go func() {
				body, err := get(c, "/wait")
				answers <- fmt.Sprint(body, err)
			}()
		}
		time.Sleep(time.Hour)
		late := p.dial()
		go func() {
			body, err := get(late, "/")
			answers <- fmt.Sprint(body, err)
		}()
		time.Sleep(time.Minute)
		if len(answers) > 0 {
			t.Errorf("answered %q with two active requests and a limit of two", <-answers)
		}
		close(wait)
		for range 3 {
			if a := <-answers; a != "done<nil>" {
				t.Errorf("answer %q", a)
			}
		}
		for _, c := range append(busy, late) {
			c.Close()
		}
	})
}

// The toolkit of Prometheus compares a password in a handler of its own, which needs some time.
func TestAConnectionWhosePasswordIsBeingVerifiedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		verify := func(s *http.Server, l net.Listener) error {
			inner := s.Handler
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Minute)
				inner.ServeHTTP(w, r)
			})
			return s.Serve(l)
		}
		s := New(p, http.NotFoundHandler(), Options{MaxConns: 1, Serve: verify}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- s.Run(ctx) }()
		first := p.dial()
		var other sync.WaitGroup
		other.Go(func() {
			time.Sleep(time.Second)
			c := p.dial()
			if _, err := get(c, "/"); err != nil {
				t.Error(err)
			}
			c.Close()
		})
		if _, err := get(first, "/"); err != nil {
			t.Error(err)
		}
		first.Close()
		other.Wait()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

func TestAShortageOfDescriptorsEndsAnIdleConnectionAndNotTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := serveLimited(t, 4)
		idle := p.dial()
		time.Sleep(time.Second)
		p.fails <- fmt.Errorf("accept: %w", unix.EMFILE)
		synctest.Wait()
		if !isClosed(idle) {
			t.Error("the idle connection is open")
		}
		c := p.dial()
		if body, err := get(c, "/"); body != "done" || err != nil {
			t.Errorf("%q, %v", body, err)
		}
		c.Close()
	})
}

// A shortage of descriptors that ends and begins with each connection wrote hundreds of
// lines a minute.
func TestAShortageThatComesAndGoesIsFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		var out bytes.Buffer
		l := limit(p, 4, slog.New(slog.NewTextHandler(&out, nil)))
		defer l.Close()
		for range 100 {
			go func() {
				p.fails <- fmt.Errorf("accept: %w", unix.EMFILE)
				p.dial().Close()
			}()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		if lines := strings.Count(out.String(), "\n"); lines < 2 || lines > 10 {
			t.Errorf("%d lines:\n%s", lines, &out)
		}
	})
}

// TestAClientThatDoesNotReadIsGivenUp: the socket limits each write, not the whole answer.
func TestAClientThatDoesNotReadIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 1, slog.New(slog.DiscardHandler))
		l.writeTime = 30 * time.Second
		failed := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				_, err = c.Write(make([]byte, 1))
			}
			failed <- err
		}()
		c := p.dial()
		if err := <-failed; err == nil {
			t.Error("a write succeeded although the client does not read")
		}
		c.Close()
		l.Close()
	})
}

// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/genltestd/genltestd/internal/syncbuffer"
)

// A chromium is a browser without a window, that the test controls over two pipes. It is safe for
// concurrent use.
type chromium struct {
	requests *os.File

	mu      sync.Mutex
	last    int                       // number of the last request
	waiting map[int]chan message      // for answers, by the number of the request
	tabs    map[string]chan<- message // for events, by session
	ended   bool
}

// A message is a request, an answer or an event of the Chrome DevTools Protocol.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// An object contains the parameters of a request.
type object map[string]any

var errEnded = errors.New("the browser has ended")

// startChromium starts a browser, which ends with the test.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	program, err := exec.LookPath("chromium-headless-shell")
	if err != nil {
		t.Fatalf("%v; run packaging/browser/run", err)
	}
	requestsHere, requests := pipe(t)
	answers, answersHere := pipe(t)
	var log syncbuffer.Buffer
	cmd := exec.Command(program,
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars")
	cmd.ExtraFiles = []*os.File{requestsHere, answersHere} // 3 and 4
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	requestsHere.Close()
	answersHere.Close()
	c := &chromium{requests: requests, waiting: make(map[int]chan message), tabs: make(map[string]chan<- message)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read(answers)
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait() // killed
		<-read
		requests.Close()
		answers.Close()
		if t.Failed() {
			t.Logf("output of %s:\n%s", program, log.String())
		}
	})
	return c
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// read forwards answers and events until the browser ends.
func (c *chromium) read(answers *os.File) {
	for r := bufio.NewReader(answers); ; {
		text, err := r.ReadBytes(0)
		if err != nil {
			break
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) == nil {
			c.forward(m)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for _, answer := range c.waiting {
		close(answer)
	}
	for _, events := range c.tabs {
		close(events)
	}
}

func (c *chromium) forward(m message) {
	c.mu.Lock()
	answer, events := c.waiting[m.ID], c.tabs[m.Session]
	delete(c.waiting, m.ID)
	c.mu.Unlock()
	if answer != nil {
		answer <- m
	} else if events != nil && m.Method != "" {
		events <- m
	}
}

// call sends a request to a session, or to the browser if session is empty, and decodes the answer
// into result unless that is nil.
func (c *chromium) call(session, method string, params object, result any) error {
	answer, err := c.send(session, method, params)
	if err != nil {
		return err
	}
	m, ok := <-answer
	switch {
	case !ok:
		return errEnded
	case m.Error != nil:
		return fmt.Errorf("%s: %s", method, m.Error.Message)
	case result == nil:
		return nil
	}
	return json.Unmarshal(m.Result, result)
}

func (c *chromium) send(session, method string, params object) (answer <-chan message, err error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, errEnded
	}
	c.last++
	request, err := json.Marshal(message{ID: c.last, Session: session, Method: method, Params: raw})
	if err != nil {
		return nil, err
	}
	received := make(chan message, 1)
	c.waiting[c.last] = received
	_, err = c.requests.Write(append(request, 0))
	return received, err
}

// listen registers the receiver of a session's events, which must receive until it is closed.
func (c *chromium) listen(session string, events chan<- message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tabs[session] = events
}

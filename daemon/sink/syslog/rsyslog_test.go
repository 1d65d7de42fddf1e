// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

// An rsyslog is a real server with one input and one file, on loopback and in a
// directory of its own.
type rsyslog struct {
	dir     string
	input   string // its configuration
	ready   func() bool
	process *exec.Cmd

	sink *sinktest.Counter // its client
}

// The server stores each message in the file before it reads the next, because the main queue
// is direct. Control characters are unchanged.
const rsyslogConfig = `
global(workDirectory="%[1]s" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off" %[3]s)
main_queue(queue.type="Direct")
template(name="raw" type="string" string="%%rawmsg%%\n")
%[2]s
action(type="omfile" file="%[1]s/messages" template="raw")
`

// startRsyslog waits until ready reports that the input exists.
func startRsyslog(t *testing.T, global, input string, ready func() bool) *rsyslog {
	t.Helper()
	sinktest.Program(t, "rsyslogd")
	r := &rsyslog{dir: t.TempDir(), input: input, ready: ready}
	config := fmt.Sprintf(rsyslogConfig, r.dir, input, global)
	if err := os.WriteFile(filepath.Join(r.dir, "rsyslog.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(syscall.SIGKILL) })
	r.start(t)
	return r
}

func (r *rsyslog) start(t *testing.T) {
	t.Helper()
	r.process = exec.Command(sinktest.Program(t, "rsyslogd"), "-n", "-iNONE", "-f", filepath.Join(r.dir, "rsyslog.conf"))
	var log bytes.Buffer
	r.process.Stderr, r.process.Stdout = &log, &log
	if err := r.process.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			r.stop(syscall.SIGKILL)
			t.Logf("rsyslog logs:\n%s", log.String())
		}
	}()
	poll.Until(t, "rsyslog is ready", r.ready)
}

func (r *rsyslog) stop(signal syscall.Signal) {
	if r.process != nil {
		r.process.Process.Signal(signal) // it may have ended
		r.process.Wait()                 // the status is not important
	}
	r.process = nil
}

// suspend returns when no thread of the server runs any more.
func (r *rsyslog) suspend(t *testing.T) {
	t.Helper()
	r.process.Process.Signal(syscall.SIGSTOP) // it would continue
	poll.Until(t, "rsyslog is stopped", func() bool {
		running := false
		states, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", r.process.Process.Pid))
		for _, file := range states {
			text, _ := os.ReadFile(file)
			running = running || !bytes.Contains(text, []byte("State:\tT"))
		}
		return len(states) > 0 && !running
	})
}

// text returns the complete lines of the file.
func (r *rsyslog) text(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "messages"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return text[:bytes.LastIndexByte(text, '\n')+1]
}

// Stored implements sinktest.Destination.
func (r *rsyslog) Stored(t *testing.T) (stored []sinktest.StoredEvent) {
	t.Helper()
	for line := range bytes.Lines(r.text(t)) {
		at := bytes.IndexByte(line, '{')
		if !bytes.HasPrefix(line, []byte(header)) || at != len(header) {
			t.Fatalf("not the message that was sent: %.200q", line)
		}
		stored = append(stored, sinktest.ParseJSON(t, line[at:]))
	}
	return stored
}

// Break stops the server as an operator does, once it has stored the accepted events: it
// would lose unread ones.
func (r *rsyslog) Break(t *testing.T) {
	r.sink.AwaitStored(t, r)
	r.stop(syscall.SIGTERM)
}

// Repair implements sinktest.Destination.
func (r *rsyslog) Repair(t *testing.T) { r.start(t) }

const header = "<14>1 2026-01-02T03:04:05Z web-1 genltestd - - - "

// headerEncoder writes a syslog message with the event as JSON.
type headerEncoder struct{ event.JSON }

func (headerEncoder) Append(dst []byte, e *event.Event) ([]byte, error) {
	return e.AppendJSON(append(dst, header...)), nil
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// A server over one transport, and a configuration that leads to it.
type server struct {
	name  string
	start func(t *testing.T) (*rsyslog, *Config)
}

func servers() []server {
	return []server{
		{"unixgram", unixgramServer},
		{"unixstream", unixstreamServer},
		{"udp", udpServer},
		{"tcp", func(t *testing.T) (*rsyslog, *Config) { return tcpServer(t, framingOctets) }},
		{"tcp newline", func(t *testing.T) (*rsyslog, *Config) { return tcpServer(t, framingNewline) }},
		{"tls", tlsServer},
	}
}

func configFor(scheme, destination string) *Config {
	return &Config{Address: value.Address(scheme + "://" + destination), Framing: framingOctets, MaxMessage: 60000}
}

func newSink(c *Config) *Sink { return New(c, sink.Env{Encoder: headerEncoder{}}) }

func unixgramServer(t *testing.T) (*rsyslog, *Config) {
	path := filepath.Join(t.TempDir(), "log")
	input := fmt.Sprintf(`module(load="imuxsock" sysSock.use="off")
		input(type="imuxsock" socket=%q useSpecialParser="off" parseHostname="on" rateLimit.interval="0")`, path)
	return startRsyslog(t, "", input, canDial("unixgram", path)), configFor("unixgram", path)
}

func unixstreamServer(t *testing.T) (*rsyslog, *Config) {
	path := filepath.Join(t.TempDir(), "log")
	input := fmt.Sprintf(`module(load="imptcp") input(type="imptcp" path=%q unlink="on")`, path)
	return startRsyslog(t, "", input, canDial("unix", path)), configFor("unixstream", path)
}

func udpServer(t *testing.T) (*rsyslog, *Config) {
	address := sinktest.FreeAddress(t)
	input := fmt.Sprintf(`module(load="imudp") input(type="imudp" address="127.0.0.1" port="%s" rcvbufSize="64m")`, port(address))
	return startRsyslog(t, "", input, isBound("udp", address)), configFor("udp", address)
}

func tcpServer(t *testing.T, framing string) (*rsyslog, *Config) {
	address := sinktest.FreeAddress(t)
	input := fmt.Sprintf(`module(load="imtcp") input(type="imtcp" address="127.0.0.1" port="%s")`, port(address))
	config := configFor("tcp", address)
	config.Framing = framing
	return startRsyslog(t, "", input, canDial("tcp", address)), config
}

// tlsServer requires a certificate of each client.
func tlsServer(t *testing.T) (*rsyslog, *Config) {
	sinktest.Program(t, "rsyslogd")
	ca := sinktest.NewCA(t)
	cert, key := ca.Issue(t, "server", time.Hour)
	address := sinktest.FreeAddress(t)
	config := configFor("tls", address)
	clientCert, clientKey := ca.Issue(t, "client", time.Hour)
	config.TLS = sinktest.TLS(ca.File, clientCert, clientKey)
	global := fmt.Sprintf(`defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q`, ca.File,
		cert, key)
	input := fmt.Sprintf(`module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
		input(type="imtcp" address="127.0.0.1" port="%s")`, port(address))
	return startRsyslog(t, global, input, isBound("tcp", address)), config
}

func canDial(network, address string) func() bool {
	return func() bool {
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
}

// isBound reports whether a socket is bound to the port, by the kernel's list: without
// sending data and without occupying the port.
func isBound(network, address string) func() bool {
	number, _ := strconv.Atoi(port(address))
	own := fmt.Sprintf(" 0100007F:%04X 00000000:0000 ", number)
	return func() bool {
		list, err := os.ReadFile("/proc/net/" + network)
		return err == nil && strings.Contains(string(list), own)
	}
}

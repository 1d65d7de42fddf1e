// SPDX-License-Identifier: Apache-2.0

//go:build kernel

package kmod_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const reply = "Hello from Kernel Space, Netlink!"

func attr(typ uint16, data string) netlink.Attribute {
	return netlink.Attribute{Type: typ, Data: []byte(data)}
}

func mustMarshal(t *testing.T, attrs ...netlink.Attribute) []byte {
	t.Helper()
	b, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustDial(t *testing.T) *genetlink.Conn {
	t.Helper()
	c, err := genetlink.Dial(&netlink.Config{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// request sends one request and returns the reply, with its headers, and the request.
func request(
	t *testing.T, cmd uint8, flags netlink.HeaderFlags, attrs []byte,
) (genetlink.Message, netlink.Message, netlink.Message, error) {
	t.Helper()
	c := mustDial(t)
	f, err := c.GetFamily(family)
	if err != nil {
		t.Fatal(err)
	}
	msg := genetlink.Message{Header: genetlink.Header{Command: cmd, Version: 1}, Data: attrs}
	sent, err := c.Send(msg, f.ID, netlink.Request|flags)
	if err != nil {
		t.Fatal(err)
	}
	genl, nl, err := c.Receive()
	if err != nil {
		return genetlink.Message{}, netlink.Message{}, sent, err
	}
	if len(genl) != 1 {
		t.Fatalf("got %d answers, want 1", len(genl))
	}
	return genl[0], nl[0], sent, nil
}

func TestEchoReplyMatchesTheTutorial(t *testing.T) {
	genltestModule.mustLoad(t)
	for name, attrs := range map[string][]netlink.Attribute{
		"a text":           {attr(attrMsg, "Hello from User Space, Netlink!\x00")},
		"an empty text":    {attr(attrMsg, "\x00")},
		"the longest text": {attr(attrMsg, strings.Repeat("x", textMax)+"\x00")},
		"not UTF-8":        {attr(attrMsg, "\xff\x1b[2J\x00")},
		"no text":          nil,
	} {
		t.Run(name, func(t *testing.T) {
			genl, nl, sent, err := request(t, cmdEcho, 0, mustMarshal(t, attrs...))
			if err != nil {
				t.Fatal(err)
			}
			want := mustMarshal(t, attr(attrMsg, reply+"\x00"))
			if diff := cmp.Diff(want, genl.Data); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if want := (genetlink.Header{Command: cmdEcho, Version: 1}); genl.Header != want {
				t.Errorf("generic header: got %+v, want %+v", genl.Header, want)
			}
			answer, asked := nl.Header, sent.Header
			if answer.Sequence != asked.Sequence || answer.PID != asked.PID || answer.Type != asked.Type || answer.Flags != 0 {
				t.Errorf("header: got %+v for the request %+v", nl.Header, sent.Header)
			}
		})
	}
}

func TestEchoIsNotAnEvent(t *testing.T) {
	genltestModule.mustLoad(t)
	l := listen(t)
	if _, _, _, err := request(t, cmdEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	l.wantNone(t)
	mustWrite(t, pingPath, "hello\n")
	if got := l.mustNext(t).Seq; got != 1 {
		t.Errorf("number of the event after an echo: got %d, want 1", got)
	}
}

func TestInvalidRequestIsRejectedWithAReason(t *testing.T) {
	genltestModule.mustLoad(t)
	const eventsOnly = "attribute is for events only"
	const badPolicy = "Attribute failed policy validation"
	eight := strings.Repeat("\x01", 8)

	for name, tt := range map[string]struct {
		cmd   uint8
		flags netlink.HeaderFlags
		attrs []byte
		want  error
		text  string // the kernel's explanation, or its start
	}{
		"too long":           {cmdEcho, 0, mustMarshal(t, attr(attrMsg, strings.Repeat("x", textMax+1)+"\x00")), unix.EINVAL, badPolicy},
		"far too long":       {cmdEcho, 0, mustMarshal(t, attr(attrMsg, strings.Repeat("x", 60_000)+"\x00")), unix.EINVAL, badPolicy},
		"NUL within":         {cmdEcho, 0, mustMarshal(t, attr(attrMsg, "a\x00b\x00")), unix.EINVAL, "text contains a NUL byte"},
		"two NULs at end":    {cmdEcho, 0, mustMarshal(t, attr(attrMsg, "a\x00\x00")), unix.EINVAL, "text contains a NUL byte"},
		"long after a NUL":   {cmdEcho, 0, mustMarshal(t, attr(attrMsg, "a\x00"+strings.Repeat("x", textMax))), unix.ERANGE, badPolicy},
		"no NUL":             {cmdEcho, 0, mustMarshal(t, attr(attrMsg, "abc")), unix.EINVAL, badPolicy},
		"not even a NUL":     {cmdEcho, 0, mustMarshal(t, attr(attrMsg, "")), unix.EINVAL, badPolicy},
		"attribute 0":        {cmdEcho, 0, mustMarshal(t, attr(0, eight)), unix.EINVAL, "Unknown attribute type"},
		"padding":            {cmdEcho, 0, mustMarshal(t, attr(attrPad, "")), unix.EINVAL, eventsOnly},
		"sequence number":    {cmdEcho, 0, mustMarshal(t, attr(attrSeq, eight)), unix.EINVAL, eventsOnly},
		"time":               {cmdEcho, 0, mustMarshal(t, attr(attrTime, eight)), unix.EINVAL, eventsOnly},
		"load id and a text": {cmdEcho, 0, mustMarshal(t, attr(attrMsg, "a\x00"), attr(attrLoadID, eight)), unix.EINVAL, eventsOnly},
		"unknown attribute":  {cmdEcho, 0, mustMarshal(t, attr(attrLoadID+1, eight)), unix.EINVAL, "Unknown attribute type"},
		"bytes left over":    {cmdEcho, 0, []byte{1, 2}, unix.EINVAL, "bytes leftover after parsing attributes"},
		"unknown command":    {cmdEcho + 1, 0, nil, unix.EOPNOTSUPP, ""},
		"command 0":          {0, 0, nil, unix.EOPNOTSUPP, ""},
		"dump":               {cmdEcho, netlink.Dump, nil, unix.EOPNOTSUPP, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := request(t, tt.cmd, tt.flags, tt.attrs)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			var op *netlink.OpError
			if !errors.As(err, &op) || !strings.HasPrefix(op.Message, tt.text) || tt.text == "" && op.Message != "" {
				t.Errorf("explanation: got %q, want %q", op.Message, tt.text)
			}
			aboutValue := strings.HasPrefix(tt.text, "bytes") || strings.HasPrefix(tt.text, "text")
			if strings.Contains(tt.text, "ttribute") != (op.Offset != 0) && !aboutValue {
				t.Errorf("offset of the bad attribute: got %d for %q", op.Offset, op.Message)
			}
		})
	}

	if _, _, _, err := request(t, cmdEcho, 0, nil); err != nil {
		t.Errorf("an echo after all that: %v", err)
	}
}

// asUnprivilegedUser runs f in a thread of uid and gid 65534, without capabilities.
func asUnprivilegedUser(t *testing.T, f func()) {
	t.Helper()
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		runtime.LockOSThread() // without an unlock, the thread ends with the goroutine
		for _, call := range [][4]uintptr{
			{unix.SYS_SETGROUPS, 0, 0, 0},
			{unix.SYS_SETRESGID, 65534, 65534, 65534},
			{unix.SYS_SETRESUID, 65534, 65534, 65534},
		} {
			if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
				failed <- fmt.Errorf("drop privileges: %w", errno)
				return
			}
		}
		f()
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

func TestEchoIsUnprivilegedAndWritesRequireRoot(t *testing.T) {
	genltestModule.mustLoad(t)
	asUnprivilegedUser(t, func() {
		if uid := unix.Geteuid(); uid != 65534 {
			t.Errorf("uid: got %d", uid)
		}
		for _, path := range []string{pingPath, burstPath} {
			if _, err := write(path, "1 hello\n"); !errors.Is(err, unix.EACCES) {
				t.Errorf("write to %s: got %v, want EACCES", path, err)
			}
		}
		c, err := genetlink.Dial(nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		f, err := c.GetFamily(family)
		if err != nil {
			t.Error(err)
			return
		}
		msgs, err := c.Execute(genetlink.Message{Header: genetlink.Header{Command: cmdEcho, Version: 1}}, f.ID, netlink.Request)
		if err != nil || len(msgs) != 1 {
			t.Errorf("echo: got %d answers, %v", len(msgs), err)
		}
	})
}

func TestEchoIsLoggedEscapedAndShort(t *testing.T) {
	genltestModule.mustLoad(t)
	since := logSince(t)
	for _, text := range []string{
		"\x1b[31mred\x1b[0m\nforged line\r\a\x9b1m\x7f\\\"%s",
		strings.Repeat("long ", 700),
	} {
		if _, _, _, err := request(t, cmdEcho, 0, mustMarshal(t, attr(attrMsg, text+"\x00"))); err != nil {
			t.Fatal(err)
		}
	}

	lines := since()
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2: %q", len(lines), lines)
	}
	const want = `: "\e[31mred\e[0m\nforged line\r\a\2331m\177\"%s"`
	if _, got, _ := strings.Cut(lines[0], "port "); !strings.HasSuffix(got, want) {
		t.Errorf("line: got %q, want it to end with %q", got, want)
	}
	if len(lines[1]) > 128 || !strings.HasSuffix(lines[1], `"...`) {
		t.Errorf("line of a long text: got %d bytes: %q", len(lines[1]), lines[1])
	}
	for _, c := range kernelLog() {
		if c == 0x1b || c == 0x9b {
			t.Fatal("the kernel log contains a raw control character")
		}
	}
}

func TestEchoLogIsRateLimited(t *testing.T) {
	genltestModule.mustLoad(t)
	since := logSince(t)
	c := mustDial(t)
	id := mustGetFamily(t).ID
	msg := genetlink.Message{Header: genetlink.Header{Command: cmdEcho, Version: 1}}
	for range 500 {
		if _, err := c.Execute(msg, id, netlink.Request); err != nil {
			t.Fatal(err)
		}
	}
	// Ten lines in five seconds, and a line with the count of the others.
	if lines := since(); len(lines) < 10 || len(lines) > 42 {
		t.Errorf("500 echoes: got %d lines, want about 10: %q", len(lines), lines)
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A screen shows lines on the whole terminal, and reads keys without echo. Its methods are safe for concurrent
// use.
type screen struct {
	in, out *os.File
	signals chan os.Signal // of the terminal: size, stop, continue; and those that end the program

	mu    sync.Mutex
	saved *unix.Termios // settings of the terminal before enter; nil while the screen is left
}

// The sequences of xterm, which terminals of the last decades understand.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // alternate screen, no cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	eraseLine   = "\x1b[K"
	eraseBelow  = "\x1b[J"
)

// newScreen enters the screen. The caller must call close.
func newScreen(in, out *os.File) (*screen, error) {
	s := &screen{in: in, out: out, signals: make(chan os.Signal, 8)}
	if err := s.enter(); err != nil {
		return nil, fmt.Errorf("prepare the terminal: %w", err)
	}
	signal.Notify(s.signals, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGHUP, syscall.SIGQUIT)
	return s, nil
}

// enter shows the screen, unless it is shown already.
func (s *screen) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved != nil {
		return nil
	}
	fd := int(s.in.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	raw := *saved
	raw.Lflag &^= unix.ICANON | unix.ECHO // signals of keys stay enabled
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return err
	}
	s.saved = saved
	_, err = s.out.WriteString(enterScreen)
	return err
}

// leave restores the terminal.
func (s *screen) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved == nil {
		return nil
	}
	_, err := s.out.WriteString(leaveScreen)
	err = errors.Join(err, unix.IoctlSetTermios(int(s.in.Fd()), unix.TCSETS, s.saved))
	s.saved = nil
	return err
}

// close restores the terminal.
func (s *screen) close() error {
	signal.Stop(s.signals)
	return s.leave()
}

// guard restores the terminal if the goroutine that defers it panics.
func (s *screen) guard() {
	if reason := recover(); reason != nil {
		_ = s.leave() // the panic is the error to report
		panic(reason)
	}
}

// handle applies a signal. It returns false if the program must end.
func (s *screen) handle(sig os.Signal) (bool, error) {
	switch sig {
	case syscall.SIGTSTP:
		err := s.leave()
		return true, errors.Join(err, syscall.Kill(os.Getpid(), syscall.SIGSTOP)) // SIGCONT shows the screen again
	case syscall.SIGCONT:
		return true, s.enter()
	case syscall.SIGWINCH:
		return true, nil
	}
	return false, nil
}

// size returns the columns and rows of the terminal, at least one each.
func (s *screen) size() (width, height int) {
	size, err := unix.IoctlGetWinsize(int(s.out.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return 80, 24
	}
	return int(size.Col), int(size.Row)
}

// show replaces the contents of the screen. Each line must fit.
func (s *screen) show(lines []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved == nil {
		return nil
	}
	_, err := s.out.WriteString(home + strings.Join(lines, eraseLine+"\r\n") + eraseLine + eraseBelow)
	return err
}

// keys sends the keys that are pressed, and ends with the input.
func (s *screen) keys(keys chan<- byte) {
	defer s.guard()
	b := make([]byte, 64)
	for {
		n, err := s.in.Read(b)
		if err != nil {
			close(keys)
			return
		}
		for _, key := range withoutSequences(b[:n]) {
			keys <- key
		}
	}
}

// escape is the key Esc, and begins the sequences of keys such as arrows.
const escape = '\x1b'

// withoutSequences removes the sequences of keys such as arrows, which the program does not use.
func withoutSequences(b []byte) (keys []byte) {
	inside, previous := false, byte(0)
	for i, key := range b {
		switch {
		case inside: // until the final byte, which follows [ or O at the earliest
			inside = key < '@' || key > '~' || previous == escape
		case key == escape && i+1 < len(b) && (b[i+1] == '[' || b[i+1] == 'O'):
			inside = true
		default:
			keys = append(keys, key)
		}
		previous = key
	}
	return keys
}

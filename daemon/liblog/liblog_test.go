// SPDX-License-Identifier: Apache-2.0

package liblog

import (
	"bytes"
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newLog() (*slog.Logger, *bytes.Buffer) {
	out := new(bytes.Buffer)
	return slog.New(slog.NewTextHandler(out, nil)), out
}

func TestNoTextOfALibraryIsLogged(t *testing.T) {
	l, out := newLog()
	defer Capture(l)()
	for name, write := range map[string]func(){
		"log.Printf":   func() { log.Printf("starting with %q", "canary") },
		"log.Default":  func() { log.Default().Println("canary") },
		"log.Output":   func() { _ = log.Output(1, "canary") },
		"slog.Info":    func() { slog.Info("canary", "token", "canary") },
		"slog.Default": func() { slog.Default().With("token", "canary").WithGroup("canary").Error("canary") },
		"slog.Debug":   func() { slog.Debug("canary") },
	} {
		out.Reset()
		write()
		const function = "function=github.com/genltestd/genltestd/daemon/liblog.TestNoTextOfALibraryIsLogged"
		if text := out.String(); strings.Contains(text, "canary") || !strings.Contains(text, function) {
			t.Errorf("%s: logged %q", name, text)
		}
	}
}

func TestAFunctionIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog()
		server := New(l, slog.LevelWarn)
		for range 200 {
			server.Print("one line per second")
			time.Sleep(time.Second)
		}
		if text := out.String(); strings.Count(text, "\n") != 4 || strings.Count(text, "such_lines_left_out=59\n") != 3 {
			t.Errorf("logged %q", text)
		}
		func() { server.Print("another function") }()
		if !strings.Contains(out.String(), "another function") {
			t.Error("the line of another function is missing")
		}
	})
}

func TestALineAboutAClientIsVisible(t *testing.T) {
	l, out := newLog()
	server := New(l, slog.LevelWarn)
	for range 3 {
		server.Printf("http: panic serving \x1b[2J\n")
	}
	text := out.String()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=WARN") ||
		!strings.Contains(text, "panic serving") || strings.Contains(text, "\x1b") {
		t.Errorf("logged %q", text)
	}
}

func TestCaptureIsUndone(t *testing.T) {
	l, out := newLog()
	Capture(l)()
	var own bytes.Buffer
	log.SetOutput(&own)
	defer log.SetOutput(os.Stderr)
	log.Print("x")
	if out.Len() > 0 || own.Len() == 0 {
		t.Errorf("logged %q, %q", out, &own)
	}
}

// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

// Each sink or journal would destroy the earlier owner of the path, or be destroyed by it.
func TestPathHasOnlyOneOwner(t *testing.T) {
	dir := t.TempDir()
	dirs := Dirs{State: dir + "/state", Runtime: dir + "/run"}
	for _, path := range []string{dirs.State, dirs.Runtime, dir + "/etc/g.d"} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{
		"/dangling": dir + "/later", "/relative": "../" + filepath.Base(dir) + "/later", "/loop": dir + "/loop",
	}
	for link, target := range links {
		if err := os.Symlink(target, dir+link); err != nil {
			t.Fatal(err)
		}
	}
	stamp := ".20260102T150405.000000000Z"
	rotating := func(path string) string { return "file: {path: " + path + ", rotate: {max_bytes: 1MiB}}" }
	peer := func(listen, keys string) string {
		return "http: {listen: '" + listen + "'}\nsinks: [{name: a, " + keys + "}]"
	}
	file := func(path string) string { return "sinks: [{name: a, file: {path: " + path + "}}]" }
	socket := func(mode, path string) string {
		return "sinks: [{name: a, socket: {mode: " + mode + ", address: 'unix://" + path + "'}}]"
	}
	sink := func(name, keys string) string { return "{name: " + name + ", " + keys + "}" }
	both := func(a, b string) string { return "sinks: [" + sink("a", a) + ", " + sink("b", b) + "]" }
	for _, tt := range []struct{ text, want string }{
		{socket("listen", dirs.controlSocket()), "belongs to the daemon's control socket"},
		{socket("listen", dir+"/link/run/control.sock"), "belongs to the daemon's control socket"},
		{socket("connect", dirs.controlSocket()), "is the daemon's own control socket"},
		{"sinks: [{name: a, syslog: {address: 'unixgram://" + dir + "/link/run/control.sock'}}]", "is the daemon's own control socket"},
		{"sinks: [{name: a, journald: {socket: " + dirs.controlSocket() + "}}]", "is the daemon's own control socket"},
		{file(dirs.inboxes().Genltest()), "belongs to the daemon's inbox"},
		{file(dirs.journal() + "/meta"), "belongs to the journal"},
		{file(dir + "/link/state/journal/x"), "belongs to the journal"},
		{file(dir + "/state/../state/journal/x"), "belongs to the journal"},
		{file(dirs.letters("a") + "/x"), "belongs to the daemon's dead letters"},
		{file(dirs.State + "/sinks/a.position"), "belongs to the daemon's notes"},
		{file(dirs.State + "/boots"), "belongs to the daemon's state"},
		{file(dir + "/etc/g.yaml"), "belongs to the configuration"},
		{file(dir + "/etc/g.d/b.yaml"), "belongs to the configuration"},
		{"journal: {path: " + dir + "/j}\n" + file(dir+"/link/j/x"), "belongs to the journal"},
		{"journal: {path: /}", "is the root directory"},
		{"journal: {path: //..}", "is the root directory"},
		{"journal: {path: " + dirs.State + "}", "contains the daemon's dead letters"},
		{"journal: {path: " + dir + "}", "contains "},
		{"journal: {path: " + dir + "/etc}", "contains the configuration"},
		{"journal: {path: " + dir + "/etc/g.d/j}", "belongs to the configuration"},
		{"journal: {path: " + dirs.Runtime + "}", "contains the daemon's control socket"},
		{both("file: {path: "+dir+"/x}", "file: {path: "+dir+"/link/x}"), "belongs to the sink a"},
		{both("file: {path: "+dir+"/x}", "socket: {mode: listen, address: 'unix://"+dir+"/x'}"), "belongs to the sink a"},
		{both("webhook: {url: {file: "+dir+"/url}}", "file: {path: "+dir+"/url}"), "belongs to the secret of sinks[0].webhook.url"},
		{
			both("syslog: {address: 'tls://h:1', tls: {ca: "+dir+"/ca}}", "file: {path: "+dir+"/link/ca}"),
			"belongs to the TLS settings of sinks[0]",
		},
		{both("file: {path: "+dir+"/later}", "file: {path: "+dir+"/dangling}"), "belongs to the sink a"},
		{both("file: {path: "+dir+"/relative}", "file: {path: "+dir+"/later}"), "belongs to the sink a"},
		{both(rotating(dir+"/x"), "file: {path: "+dir+"/link/x"+stamp+"}"), "belongs to the sink a"},
		{both("file: {path: "+dir+"/x"+stamp+".gz}", rotating(dir+"/x")), "has rotated files, of which"},
		{both("webhook: {url: {file: "+dir+"/x"+stamp+"}}", rotating(dir+"/x")), "belongs to the secret of sinks[0].webhook.url"},
		{
			both("socket: {mode: listen, address: 'unix://"+dir+"/s'}", "socket: {address: 'unix://"+dir+"/link/s'}"),
			"is the socket of the sink a",
		},
		{
			both("syslog: {address: 'unixstream://"+dir+"/s'}", "socket: {mode: listen, address: 'unix://"+dir+"/s'}"),
			"is the socket of the sink b",
		},
		{peer("127.0.0.1:9941", "socket: {address: 'tcp://localhost:9941'}"), "is the daemon's own http.listen"},
		{peer(":9941", "syslog: {address: 'tls://[::1]:9941'}"), "is the daemon's own http.listen"},
		{peer("0.0.0.0:9941", "webhook: {url: 'http://127.0.0.1:9941/events'}"), "is the daemon's own http.listen"},
		{peer("192.0.2.7:80", "webhook: {url: 'http://192.0.2.7/'}"), "is the daemon's own http.listen"},

		{peer("127.0.0.1:9941", "socket: {address: 'tcp://collector:9941'}"), ""},
		{peer("127.0.0.1:9941", "socket: {address: 'tcp://127.0.0.1:9942'}"), ""},
		{peer("127.0.0.1:9941", "udp: {address: 'udp://127.0.0.1:9941'}"), ""},
		{peer("", "webhook: {url: 'http://127.0.0.1:9941/'}"), ""},
		{both("file: {path: "+dir+"/x}", "file: {path: "+dir+"/x"+stamp+"}"), ""},
		{both(rotating(dir+"/x"), "file: {path: "+dir+"/x.log}"), ""},
		{"families: [{name: a, spec: " + dir + "/a.yaml}]\n" + file(dir+"/a.yaml"), "the specification of a"},
		{file(dir + "/loop"), ""},
		{"journal: {path: " + dirs.journal() + "}", ""},
		{"journal: {path: " + dir + "/elsewhere/j}", ""},
		{file(dirs.State + "/events"), ""},
		{file(dirs.State + "/journal.log"), ""},
		{socket("listen", dirs.Runtime+"/events.sock"), ""},
		{socket("connect", dirs.Runtime+"/events.sock"), ""},
	} {
		cfg, err := config.Parse(dir+"/etc/g.yaml", []byte(tt.text+"\n"), sinks.Kinds())
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		got := collisions(cfg, dirs)
		found := len(got) == 1 && strings.Contains(got[0].Message, tt.want) && got[0].Line > 0
		if tt.want == "" && len(got) > 0 || tt.want != "" && !found {
			t.Errorf("%s\n got %v\nwant %q", tt.text, got, tt.want)
		}
	}
}

// A sink cannot use a path at which something of another type exists.
func TestCheckReportsAnExistingFileAtThePathOfASink(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/text", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"file: {path: " + dir + "}":                                   "is a directory; add a name",
		"file: {path: /dev/null}":                                     "exists and is not a regular file; choose another path",
		"socket: {mode: listen, address: 'unix://" + dir + "/text'}":  "exists and is not a socket; choose another path",
		"socket: {mode: listen, address: 'unix://" + dir + "/other'}": "",
		"file: {path: " + dir + "/text}":                              "",
	} {
		cfg := parse(t, "sinks: [{name: a, "+text+"}]\n")
		err := Check(cfg, Dirs{State: dir + "/state", Runtime: dir + "/run"})
		if got := fmt.Sprint(err); !strings.Contains(got, want) || want == "" && err != nil {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// The check of root with the rights of the service's user finds a path that this user cannot
// write.
func TestCheckReportsAnUnwritablePath(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give up its rights")
	}
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), os.WriteFile(dir+"/text", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"file: {path: " + dir + "/new}":                                "cannot create a file in " + dir + ": permission denied",
		"file: {path: " + dir + "/text}":                               "cannot write to " + dir + "/text: permission denied",
		"socket: {mode: listen, address: 'unix://" + dir + "/socket'}": "cannot create a file in " + dir + ": permission denied",
		"file: {path: " + dir + "/later/new}":                          "",
	} {
		cfg := parse(t, "sinks: [{name: a, "+text+"}]\n")
		got := fmt.Sprint(existingFaultsAs(65534, cfg))
		if !strings.Contains(got, want) || want == "" && got != "[]" {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// existingFaultsAs looks at files with the rights of a user.
func existingFaultsAs(uid int, cfg *config.Config) (faults []*config.FieldError) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and end the thread with the goroutine
		if err := unix.Setfsuid(uid); err == nil {
			faults = existingFaults(cfg)
		}
	}()
	<-done
	return faults
}

// A sink at the control socket caused a crash loop. New must reject it before it opens anything.
func TestNewRejectsAPathCollision(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, "sinks: [{name: a, socket: {mode: listen, address: 'unix://"+dir+"/run/control.sock'}}]\n")
	_, err := New(cfg, Options{Log: slog.New(slog.DiscardHandler), Dirs: Dirs{State: dir + "/state", Runtime: dir + "/run"}})
	var faults config.Errors
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want config.Errors", err)
	}
	if files, _ := filepath.Glob(dir + "/*"); len(files) > 0 {
		t.Errorf("New created %v", files)
	}
}

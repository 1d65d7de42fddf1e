// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"testing"

	"github.com/genltestd/genltestd/daemon/sinks"
)

// A pipe is read once: by Load, not by Fingerprint.
func TestLoadFromAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("sinks: [{name: piped, stdout: {}}]\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	path := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if !IsStream(path) || IsStream("/dev/null") || IsStream("/dev/fd/x") {
		t.Errorf("IsStream(%s) = %v", path, IsStream(path))
	}
	Fingerprint(path)
	c, err := Load(path, sinks.Kinds())
	if err != nil || c.Sinks[0].Name != "piped" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// As with systemd, a link to /dev/null disables a file that a package has installed.
func TestDropInLinkedToDevNull(t *testing.T) {
	t.Chdir(t.TempDir())
	files(t, map[string]string{"g.yaml": "", "g.d/.x": ""})
	if err := os.Symlink(os.DevNull, "g.d/b.yaml"); err != nil {
		t.Fatal(err)
	}
	c, err := Load("g.yaml", sinks.Kinds())
	if err != nil || len(c.Files()) != 2 || len(c.Sinks) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err := Load(os.DevNull, sinks.Kinds()); err != nil || c.Sinks[0].Name != "stdout" {
		t.Errorf("%s: got %+v, %v", os.DevNull, c, err)
	}
}

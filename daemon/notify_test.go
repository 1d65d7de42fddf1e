// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"slices"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/internal/notifysocket"
)

// TestTimeoutsOfSystemdAreExtended: a start, a reload and a drain may exceed the timeouts of the unit, so
// the daemon extends them.
func TestTimeoutsOfSystemdAreExtended(t *testing.T) {
	const end = "END"
	manager := notifysocket.Listen(t)
	t.Setenv("NOTIFY_SOCKET", manager.Path)
	messages := make(chan string, 1000)
	go manager.CopyTo(func(message string) { messages <- message })
	const yaml = listenAnywhere + "shutdown: {drain: 50ms}\nsinks: [{name: out, stdout: {}}]\n"
	r := startReloadable(t, yaml)
	defer r.stdout.Hold()()
	r.kernel.event("x")
	r.mustReload(t, yaml)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	manager.Send(t, end)
	var got []string
	for message := <-messages; message != end; message = <-messages {
		if name, _, _ := strings.Cut(message, "="); name != "STATUS" {
			got = append(got, name)
		}
	}
	want := []string{"EXTEND_TIMEOUT_USEC", "READY", "RELOADING", "EXTEND_TIMEOUT_USEC", "READY", "STOPPING", "EXTEND_TIMEOUT_USEC"}
	if !slices.Equal(got, want) {
		t.Errorf("messages %q, want %q", got, want)
	}
}

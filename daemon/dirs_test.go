// SPDX-License-Identifier: Apache-2.0

package daemon

import "testing"

func TestDirectoriesOfSystemdTakePrecedence(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")
	t.Setenv("RUNTIME_DIRECTORY", "/run/a")
	if got, want := DefaultDirs(), (Dirs{State: "/var/lib/a", Runtime: "/run/a"}); got != want {
		t.Errorf("DefaultDirs() = %+v, want %+v", got, want)
	}
}

func TestDirectoriesOfAnOrdinaryUser(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	const state = "/home/u/.local/state/genltestd"
	if got, want := userDirs(), (Dirs{State: state, Runtime: state + "/run"}); got != want {
		t.Errorf("userDirs() = %+v, want %+v", got, want)
	}
	t.Setenv("XDG_STATE_HOME", "/s")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	if got, want := userDirs(), (Dirs{State: "/s/genltestd", Runtime: "/run/user/7/genltestd"}); got != want {
		t.Errorf("userDirs() = %+v, want %+v", got, want)
	}
}

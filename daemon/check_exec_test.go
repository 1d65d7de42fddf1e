// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestCheckNamesThePlaceOfAProgramThatIsMissing(t *testing.T) {
	cfg, err := config.Parse("x.yaml", []byte("sinks:\n- name: a\n  exec: {argv: [/no/such/program, -v], user: no-such-user}\n"), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	want := "x.yaml:3:17: sinks[0].exec.argv[0]: stat /no/such/program: no such file or directory\n" +
		"x.yaml:3:46: sinks[0].exec.user: user: unknown user no-such-user"
	if got := fmt.Sprint(Check(cfg, Dirs{})); got != want {
		t.Errorf("Check\n%s\nwant\n%s", got, want)
	}
}

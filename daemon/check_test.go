// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config"
)

// What a text of the configuration cannot do is said with its place in the file and
// the place in the text.
func TestCheckNamesThePlaceOfWhatDoesNotCompile(t *testing.T) {
	const text = `sinks:
  - name: good
    filter: kind == "gap" or message matches "^disk (error|failure)"
    extract: 'sd(?P<disk>[a-z])'
    dedup: {window: 1m, key: captures.disk}
    stdout: {}
  - name: pager
    filter: mesage contains "x"
    stdout: {}
  - name: mail
    filter: |
      host == "web-1" and
      captures.unit == "ssh"
    extract: '(?P<disk>'
    dedup:
      window: 1m
      key: seq
    stdout: {}
`
	cfg, err := config.Parse("g.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const want = `g.yaml:8:13: sinks[1].filter: column 1: unknown name mesage
g.yaml:11:13: sinks[2].filter: line 2, column 10: unknown capture unit; extract has disk
g.yaml:14:14: sinks[2].extract: column 1: error parsing regexp: missing closing ): ` + "`(?P<disk>`" + `
g.yaml:17:12: sinks[2].dedup.key: expected string, but got int`
	if diff := cmp.Diff(want, Check(cfg, Dirs{}).Error()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	cfg.Sinks = cfg.Sinks[:1]
	if err := Check(cfg, Dirs{}); err != nil {
		t.Errorf("good rules: %v", err)
	}
}

func TestLeavesTakesJoinedErrorsApart(t *testing.T) {
	a, b, c := io.EOF, io.ErrClosedPipe, io.ErrNoProgress
	got := leaves(errors.Join(errors.Join(a, nil, b), c))
	if !slices.Equal(got, []error{a, b, c}) {
		t.Errorf("leaves = %v", got)
	}
	if got := leaves(nil); got != nil {
		t.Errorf("leaves of no error = %v", got)
	}
}

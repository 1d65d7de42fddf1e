// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"io"
	"testing"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sinks"
)

const streamSinks = `sinks:
  - name: loghost
    syslog: {address: "tls://loghost:6514", tls: {ca: /no/such/ca.pem}}
  - name: collector
    socket:
      address: tls://collector:6515
      tls: {cert: /no/such/cert.pem, key: /no/such/key.pem}
  - name: watch
    socket:
      mode: listen
      address: unix:///no/such/directory/events.sock
      listen:
        group: no-such-group
  - name: good
    syslog: {}
`

// A sink whose server or files are missing is created nevertheless, so that the other sinks
// start. Check reports the fault with its position.
func TestUnusableStreamSinksAreCreatedAndReported(t *testing.T) {
	c, err := config.Parse("x.yaml", []byte(streamSinks), sinks.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Sinks {
		s, err := newSink(&c.Sinks[i], &Options{Stdout: io.Discard})
		if err != nil {
			t.Fatalf("%s: %v", c.Sinks[i].Name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", c.Sinks[i].Name, err)
		}
	}
	want := `x.yaml:3:55: sinks[0].syslog.tls.ca: open /no/such/ca.pem: no such file or directory
x.yaml:7:19: sinks[1].socket.tls.cert: certificate: open /no/such/cert.pem: no such file or directory
x.yaml:13:16: sinks[2].socket.listen.group: group: unknown group no-such-group`
	if err := Check(c, Dirs{}); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

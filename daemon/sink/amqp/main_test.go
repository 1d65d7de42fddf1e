// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/rabbitmq"
)

// A suite replaces the test that started the shared broker, which outlives that test.
type suite struct {
	testing.TB
	failed   bool
	cleanups []func()
}

func (s *suite) Helper()           {}
func (s *suite) Failed() bool      { return s.failed }
func (s *suite) Cleanup(f func())  { s.cleanups = append(s.cleanups, f) }
func (s *suite) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (s *suite) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (s *suite) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (s *suite) TempDir() string {
	dir, err := os.MkdirTemp("", "amqp-test-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *suite) end() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}

// all owns the broker that the tests of this package share, because its start needs seconds.
var all suite

// A broker is a node with its certificates.
type broker struct {
	*rabbitmq.Node
	ca        *sinktest.CA
	cert, key string
}

var startShared = sync.OnceValue(func() *broker {
	b := &broker{ca: sinktest.NewCA(&all)}
	b.cert, b.key = b.ca.Issue(&all, "server", time.Hour)
	b.Node = rabbitmq.Start(&all, rabbitmq.Options{CA: b.ca.File, Cert: b.cert, Key: b.key})
	return b
})

// shared returns the shared broker. Each test uses its own virtual host, and leaves the broker
// running without a fault. In short, only the kit uses it.
func shared(t *testing.T) *broker {
	t.Helper()
	if testing.Short() && t.Name() != "TestKind" {
		t.Skip("uses RabbitMQ")
	}
	sinktest.Program(t, rabbitmq.Program)
	return startShared()
}

func TestMain(m *testing.M) {
	code := m.Run()
	all.failed = code != 0
	all.end()
	os.Exit(code)
}

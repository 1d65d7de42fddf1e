// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"os"
	"testing"

	"github.com/genltestd/genltestd/packaging/brokers/feed"
)

// feedVariable is set where the test binary runs as the process that delivers.
const feedVariable = "GENLTESTD_FEED"

func TestMain(m *testing.M) {
	if os.Getenv(feedVariable) == "" {
		os.Exit(m.Run())
	}
	feed.Main()
}

// A kind describes a kind of broker. Its file KIND_test.go has one of these, and a test TestKIND
// that calls run.
type kind struct {
	// start starts a broker that is new and empty; t.Cleanup ends it. It creates the topic or
	// stream that the sink delivers to.
	start func(t *testing.T, a access) broker
	// window bounds how many events may arrive twice after one interruption: a failed attempt, or
	// a killed process. 0 means exactly once.
	window int
	// keys are further keys of the sink in YAML, one per line, such as attempt_timeout.
	keys string
	// skip names scenarios that the broker cannot do, with the reason.
	skip map[string]string
}

// An access is what a broker requires of its clients. Its zero value requires nothing.
type access struct {
	user, password string // empty: no user
	// tls has the paths of the broker's files; nil: plain TCP. The broker must require a certificate
	// of its clients that ca has signed.
	tls *brokerTLS
}

// brokerTLS are the files of a broker.
type brokerTLS struct{ ca, cert, key string }

// A broker is a running broker, of one or several processes.
type broker interface {
	// addresses returns the HOST:PORT of each listener.
	addresses() []string
	// sink returns the key of the kind in YAML, not indented, for proxies at these addresses. The
	// sink has to reconnect without a long pause. a has user and passwordFile, and the TLS files of
	// the client, as the scenario requires.
	sink(addresses []string, a clientAccess) string
	// kill ends the broker by SIGKILL, and restart starts it again, with its data.
	kill()
	restart()
	// freeze stops the broker without an end, and thaw continues it.
	freeze()
	thaw()
	// stored returns the ids of the stored events, in the order of arrival.
	stored(t *testing.T) []string
}

// A clientAccess is what the sink uses to connect.
type clientAccess struct {
	user, passwordFile string     // empty: no user
	tls                *clientTLS // nil: plain TCP
}

// clientTLS are the files of the sink. The name in the certificate of the broker is 127.0.0.1.
type clientTLS struct{ ca, cert, key string }

// A limiter is a broker that can be at its limit of memory or disk: it accepts no more events then.
type limiter interface {
	limit(t *testing.T)
	unlimit(t *testing.T)
}

// A cluster is a broker of several processes.
type cluster interface {
	// killLeader ends the process that stores the events, and returns a function that starts it
	// again.
	killLeader(t *testing.T) (restart func())
}

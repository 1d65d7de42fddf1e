// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/rabbitmq"
)

// An amqpNode is a virtual host with one durable queue.
type amqpNode struct {
	*rabbitmq.Node
	t      *testing.T
	files  brokerTLS // of the node
	access access
	vhost  string
}

const amqpQueue = "events"

// sharesAMQP reports whether a scenario leaves the node without a fault. These scenarios share a
// node, because its start needs seconds.
func sharesAMQP(scenario string) bool {
	shared := []string{"TestAMQP", "TestAMQP/cut", "TestAMQP/lost_replies", "TestAMQP/slow", "TestAMQP/refused", "TestAMQP/credentials"}
	return slices.Contains(shared, scenario)
}

func newAMQPNode(t *testing.T) *amqpNode {
	t.Helper()
	dir := t.TempDir()
	files := brokerTLS{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	node := rabbitmq.Start(t, rabbitmq.Options{CA: files.ca, Cert: files.cert, Key: files.key, RequireCertificate: true})
	return &amqpNode{Node: node, files: files}
}

// startAMQP returns a broker of a scenario, on the shared node or on a new one.
func startAMQP(t *testing.T, shared *amqpNode, a access) broker {
	t.Helper()
	node := shared
	if !sharesAMQP(t.Name()) {
		node = newAMQPNode(t)
	}
	n := &amqpNode{Node: node.Node, t: t, files: node.files, access: a, vhost: node.NewVHost(t)}
	if a.user != "" {
		n.AddUser(t, a.user, a.password, n.vhost)
	}
	n.copyTLS()
	n.ReloadTLS(t)
	n.declare()
	return n
}

// copyTLS replaces the files of the node by those of the scenario.
func (n *amqpNode) copyTLS() {
	n.t.Helper()
	if n.access.tls == nil {
		return
	}
	for from, to := range map[string]string{
		n.access.tls.ca: n.files.ca, n.access.tls.cert: n.files.cert, n.access.tls.key: n.files.key,
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			n.t.Fatal(err)
		}
		write(n.t, to, string(text))
	}
}

func (n *amqpNode) do(use func(*amqp091.Channel) error) error {
	c, err := amqp091.Dial(n.URL(n.vhost))
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	return use(ch)
}

func (n *amqpNode) declare() {
	n.t.Helper()
	poll.UntilNil(n.t, "the queue is declared", func() error {
		return n.do(func(ch *amqp091.Channel) error {
			if _, err := ch.QueueDeclare(amqpQueue, true, false, false, false, nil); err != nil {
				return err
			}
			return ch.QueueBind(amqpQueue, "#", "amq.topic", false, nil)
		})
	})
}

func (n *amqpNode) addresses() []string {
	if n.access.tls != nil {
		return []string{n.TLS}
	}
	return []string{n.Plain}
}

func (n *amqpNode) kill() { n.Kill() }

// restart declares the queue again: RabbitMQ 3.10 sometimes loses a binding when it is killed.
func (n *amqpNode) restart() {
	n.copyTLS()
	n.Restart()
	n.declare()
}

func (n *amqpNode) freeze() { n.Freeze() }
func (n *amqpNode) thaw()   { n.Thaw() }

func (n *amqpNode) limit(t *testing.T) {
	t.Helper()
	n.Raise(t, rabbitmq.Alarms()[0])
}

func (n *amqpNode) unlimit(t *testing.T) {
	t.Helper()
	n.Clear(t, rabbitmq.Alarms()[0])
}

// sink uses short heartbeats, so that a silent broker is noticed soon.
func (n *amqpNode) sink(addresses []string, c clientAccess) string {
	scheme, user, password := "amqp://", rabbitmq.User, n.Password
	if c.user != "" {
		user, password = c.user, fmt.Sprintf("{file: %s}", c.passwordFile)
	}
	rest := ""
	if c.tls != nil {
		scheme = "amqps://"
		rest = fmt.Sprintf("  tls: {ca: %s, cert: %s, key: %s}\n", c.tls.ca, c.tls.cert, c.tls.key)
	}
	return fmt.Sprintf("amqp:\n  addresses: [%s]\n  vhost: %s\n  user: %s\n  password: %s\n  heartbeat: 1s\n%s",
		scheme+strings.Join(addresses, ", "+scheme), n.vhost, user, password, rest)
}

func (n *amqpNode) stored(t *testing.T) (ids []string) {
	t.Helper()
	err := n.do(func(ch *amqp091.Channel) error {
		queue, err := ch.QueueDeclarePassive(amqpQueue, true, false, false, false, nil)
		if err != nil || queue.Messages == 0 {
			return err
		}
		arriving, err := ch.Consume(amqpQueue, "", true, false, false, false, nil)
		for d := range arriving {
			if ids = append(ids, d.MessageId); len(ids) == queue.Messages {
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestAMQP(t *testing.T) {
	shared := newAMQPNode(t)
	start := func(t *testing.T, a access) broker { return startAMQP(t, shared, a) }
	run(t, kind{
		start: start, window: 256, keys: "attempt_timeout: 2s",
		skip: map[string]string{"leader": "the broker is one process"},
	})
}

// SPDX-License-Identifier: Apache-2.0

// Package rabbitmq runs RabbitMQ nodes for tests, and for the benchmark.
package rabbitmq

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/internal/realserver"
)

// User is the administrator of each node.
const User = "genltestd"

// Program starts a node. The program of this name in PATH changes the user and loses the
// environment.
const Program = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// Options of a node.
type Options struct {
	// CA, Cert and Key are the files for TLS. They can be replaced; see ReloadTLS.
	CA, Cert, Key string
	// RequireCertificate refuses clients without a certificate.
	RequireCertificate bool
}

// A Node is a RabbitMQ node with its own name, ports, files and port mapper. Its methods are safe
// for concurrent use, but not those of the server.
type Node struct {
	*realserver.Server
	Plain, TLS string // addresses
	Password   string // of the administrator

	dir, cookie string
	control     string // address of Erlang's distribution
	vhosts      atomic.Int64
}

// Start starts a node, which needs some seconds. It ends with the test.
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	sinktest.Program(t, Program)
	mapper := port(sinktest.FreeAddress(t))
	n := &Node{
		dir: t.TempDir(), Plain: sinktest.FreeAddress(t), TLS: sinktest.FreeAddress(t), control: sinktest.FreeAddress(t),
		Password: "canary-" + rand.Text(), cookie: rand.Text(),
	}
	for name, text := range map[string]string{
		".erlang.cookie":  n.cookie,
		"rabbitmq.config": n.configuration(&o),
		"enabled_plugins": "[rabbitmq_auth_mechanism_ssl].\n",
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	// The node would start a port mapper that outlives it.
	realserver.Start(t, realserver.Spec{Program: "epmd", Args: []string{"-address", "127.0.0.1", "-port", mapper}})
	n.Server = realserver.Start(t, realserver.Spec{
		Program: Program, Dir: n.dir, Ready: n.ready, Env: Environment(n.dir, mapper, port(n.control)),
	})
	return n
}

// Environment returns the environment of a node with its files in dir: rabbitmq.config and
// enabled_plugins, which must exist, and its data. mapper and distribution are the ports
// of the port mapper and of Erlang's distribution, on loopback.
func Environment(dir, mapper, distribution string) []string {
	file := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		"HOME=" + dir, "ERL_EPMD_PORT=" + mapper, "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME=test-" + mapper + "@localhost", "RABBITMQ_DIST_PORT=" + distribution,
		"RABBITMQ_CONFIG_FILE=" + file("rabbitmq.config"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + file("enabled_plugins"), "RABBITMQ_MNESIA_BASE=" + file("mnesia"),
		"RABBITMQ_LOG_BASE=" + file("log"), "RABBITMQ_PID_FILE=" + file("pid"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
		"NOTIFY_SOCKET=/nonexistent", // the script then replaces itself by the node
	}
}

// configuration is in Erlang's format, which the node reads without a converter.
func (n *Node) configuration(o *Options) string {
	return fmt.Sprintf(`[{rabbit, [
  {tcp_listeners, [{"127.0.0.1", %s}]},
  {ssl_listeners, [{"127.0.0.1", %s}]},
  {ssl_options, [{cacertfile, %q}, {certfile, %q}, {keyfile, %q}, {verify, verify_peer}, {fail_if_no_peer_cert, %v}]},
  {auth_mechanisms, ['PLAIN', 'EXTERNAL']}, {ssl_cert_login_from, common_name},
  {default_user, <<%q>>}, {default_pass, <<%q>>}, {loopback_users, []},
  {max_message_size, 1048576}, {collect_statistics, none},
  {log, [{console, [{enabled, true}, {level, info}]}, {file, [{file, false}]}]}
]}].
`, port(n.Plain), port(n.TLS), o.CA, o.Cert, o.Key, o.RequireCertificate, User, n.Password)
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// ready returns nil when clients can connect. The listeners are opened last.
func (n *Node) ready() error {
	c, err := amqp091.Dial(n.URL("/"))
	if err != nil {
		return err
	}
	return c.Close()
}

// URL returns the URL of a virtual host for the administrator, without TLS.
func (n *Node) URL(vhost string) string {
	return fmt.Sprintf("amqp://%s:%s@%s/%s", User, n.Password, n.Plain, strings.ReplaceAll(vhost, "/", "%2f"))
}

// Call evaluates an Erlang expression on the node. It is faster than rabbitmqctl by seconds.
func (n *Node) Call(t testing.TB, format string, args ...any) {
	t.Helper()
	expression := fmt.Sprintf(format, args...)
	poll.UntilNil(t, "the node is reached", func() error {
		out, err := n.evaluate(expression)
		switch {
		case err != nil && bytes.Contains(out, []byte("failed to connect")): // it does so now and then
			return fmt.Errorf("%w: %s", err, out)
		case err != nil || !bytes.HasPrefix(out, []byte("{ok,")):
			t.Fatalf("%s: %v: %s", expression, err, out)
		}
		return nil
	})
}

func (n *Node) evaluate(expression string) ([]byte, error) {
	cmd := exec.Command("erl_call", "-timeout", "20", "-c", n.cookie, "-address", n.control, "-e")
	cmd.Env = append(os.Environ(), "HOME="+n.dir)
	cmd.Stdin = strings.NewReader(expression + ".\n")
	return cmd.CombinedOutput()
}

// NewVHost creates a virtual host in which the administrator may do everything.
func (n *Node) NewVHost(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test-%d", n.vhosts.Add(1))
	n.Call(t, `rabbit_vhost:add(<<%q>>, <<"test">>)`, name)
	n.Permit(t, User, name, ".*")
	return name
}

// Permit lets a user write to exchanges whose names match an expression.
func (n *Node) Permit(t testing.TB, user, vhost, write string) {
	t.Helper()
	n.Call(t, `rabbit_auth_backend_internal:set_permissions(<<%q>>, <<%q>>, <<".*">>, <<%q>>, <<".*">>, <<"test">>)`, user, vhost, write)
}

// AddUser creates a user who may do everything in a virtual host, until the end of the test.
func (n *Node) AddUser(t testing.TB, user, password, vhost string) {
	t.Helper()
	n.Call(t, `rabbit_auth_backend_internal:add_user(<<%q>>, <<%q>>, <<"test">>)`, user, password)
	n.Permit(t, user, vhost, ".*")
	t.Cleanup(func() { n.Call(t, `rabbit_auth_backend_internal:delete_user(<<%q>>, <<"test">>)`, user) })
}

// ReloadTLS makes new connections use replaced files of the certificate.
func (n *Node) ReloadTLS(t testing.TB) {
	t.Helper()
	n.Call(t, "ssl:clear_pem_cache()")
}

// An Alarm makes the node block connections that publish.
type Alarm struct {
	Reason       string // of the blocked connections
	raise, clear string
}

// Alarms returns the alarms of memory and disk. The limits after an alarm are those of a new node.
func Alarms() []Alarm {
	return []Alarm{{
		"low on memory",
		`vm_memory_monitor:set_vm_memory_high_watermark({absolute, 1000})`, `vm_memory_monitor:set_vm_memory_high_watermark(0.4)`,
	}, {
		"low on disk",
		`rabbit_disk_monitor:set_disk_free_limit(1000000000000000)`, `rabbit_disk_monitor:set_disk_free_limit(50000000)`,
	}}
}

// Raise raises an alarm, with a delay.
func (n *Node) Raise(t testing.TB, a Alarm) {
	t.Helper()
	n.Call(t, "%s", a.raise)
}

// Clear ends an alarm.
func (n *Node) Clear(t testing.TB, a Alarm) {
	t.Helper()
	n.Call(t, "%s", a.clear)
}

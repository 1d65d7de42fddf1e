// SPDX-License-Identifier: Apache-2.0

package amqp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/realserver"
)

const (
	testUser     = "genltestd"
	testPassword = "canary-Kolibri-4711"

	// rabbitServer is not the program in PATH, which changes the user and loses the environment.
	rabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"
)

// A broker is a RabbitMQ node with its own name, ports, files and port mapper.
type broker struct {
	*realserver.Server
	dir                string
	plain, tls, cookie string
	control            string // address of Erlang's distribution
	ca                 *sinktest.CA
	cert, key          string // files of the server's certificate
	vhosts             int
}

// startBroker starts a node, which needs some seconds.
func startBroker(t testing.TB) *broker {
	t.Helper()
	sinktest.Program(t, rabbitServer)
	mapper := sinktest.FreeAddress(t)
	b := &broker{
		dir: t.TempDir(), plain: sinktest.FreeAddress(t), tls: sinktest.FreeAddress(t), control: sinktest.FreeAddress(t),
		cookie: fmt.Sprintf("test-%d", os.Getpid()), ca: sinktest.NewCA(t),
	}
	b.cert, b.key = b.ca.Issue(t, "server", time.Hour)
	for _, file := range []struct {
		name, text string
	}{
		{".erlang.cookie", b.cookie},
		{"rabbitmq.config", b.configuration()},
		{"enabled_plugins", "[rabbitmq_auth_mechanism_ssl].\n"},
	} {
		if err := os.WriteFile(filepath.Join(b.dir, file.name), []byte(file.text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	// The node would start a port mapper that outlives it.
	realserver.Start(t, realserver.Spec{Program: "epmd", Args: []string{"-address", "127.0.0.1", "-port", port(mapper)}})
	b.Server = realserver.Start(t, realserver.Spec{
		Program: rabbitServer, Dir: b.dir, Ready: b.ready,
		Env: []string{
			"HOME=" + b.dir, "ERL_EPMD_PORT=" + port(mapper), "ERL_EPMD_ADDRESS=127.0.0.1",
			"RABBITMQ_NODENAME=test-" + port(mapper) + "@localhost", "RABBITMQ_DIST_PORT=" + port(b.control),
			"RABBITMQ_CONFIG_FILE=" + filepath.Join(b.dir, "rabbitmq.config"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
			"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(b.dir, "enabled_plugins"),
			"RABBITMQ_MNESIA_BASE=" + filepath.Join(b.dir, "mnesia"), "RABBITMQ_LOG_BASE=" + filepath.Join(b.dir, "log"),
			"RABBITMQ_PID_FILE=" + filepath.Join(b.dir, "pid"),
			"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
			"NOTIFY_SOCKET=/nonexistent", // the script then replaces itself by the node
		},
	})
	return b
}

// configuration is in Erlang's format, which the node reads without a converter.
func (b *broker) configuration() string {
	return fmt.Sprintf(`[{rabbit, [
  {tcp_listeners, [{"127.0.0.1", %s}]},
  {ssl_listeners, [{"127.0.0.1", %s}]},
  {ssl_options, [{cacertfile, %q}, {certfile, %q}, {keyfile, %q}, {verify, verify_peer}, {fail_if_no_peer_cert, false}]},
  {auth_mechanisms, ['PLAIN', 'EXTERNAL']}, {ssl_cert_login_from, common_name},
  {default_user, <<%q>>}, {default_pass, <<%q>>}, {loopback_users, []},
  {max_message_size, 1048576}, {collect_statistics, none},
  {log, [{console, [{enabled, true}, {level, info}]}, {file, [{file, false}]}]}
]}].
`, port(b.plain), port(b.tls), b.ca.File, b.cert, b.key, testUser, testPassword)
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// ready returns nil when clients can connect. The listeners are opened last.
func (b *broker) ready() error {
	c, err := amqp091.Dial(b.url("/"))
	if err != nil {
		return err
	}
	return c.Close()
}

func (b *broker) url(vhost string) string {
	return fmt.Sprintf("amqp://%s:%s@%s/%s", testUser, testPassword, b.plain, strings.ReplaceAll(vhost, "/", "%2f"))
}

// call evaluates an Erlang expression on the node. It is faster than rabbitmqctl by seconds.
func (b *broker) call(t testing.TB, format string, args ...any) string {
	t.Helper()
	cmd := exec.Command("erl_call", "-timeout", "20", "-c", b.cookie, "-address", b.control, "-e")
	cmd.Env = append(os.Environ(), "HOME="+b.dir)
	expression := fmt.Sprintf(format, args...) + ".\n"
	cmd.Stdin = strings.NewReader(expression)
	out, err := cmd.CombinedOutput()
	if err == nil && !bytes.HasPrefix(out, []byte("{ok,")) {
		err = errors.New("the expression has failed")
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", expression, err, out)
	}
	return string(out)
}

// newVHost creates a virtual host in which the user may do everything.
func (b *broker) newVHost(t testing.TB) string {
	t.Helper()
	b.vhosts++
	name := fmt.Sprintf("test-%d", b.vhosts)
	b.call(t, `rabbit_vhost:add(<<%q>>, <<"test">>)`, name)
	b.permit(t, testUser, name, ".*")
	return name
}

// permit lets a user write to exchanges whose names match an expression.
func (b *broker) permit(t testing.TB, user, vhost, write string) {
	t.Helper()
	b.call(t, `rabbit_auth_backend_internal:set_permissions(<<%q>>, <<%q>>, <<".*">>, <<%q>>, <<".*">>, <<"test">>)`, user, vhost, write)
}

func (b *broker) addUser(t testing.TB, user, password, vhost string) {
	t.Helper()
	b.call(t, `rabbit_auth_backend_internal:add_user(<<%q>>, <<%q>>, <<"test">>)`, user, password)
	b.permit(t, user, vhost, ".*")
	t.Cleanup(func() { b.call(t, `rabbit_auth_backend_internal:delete_user(<<%q>>, <<"test">>)`, user) })
}

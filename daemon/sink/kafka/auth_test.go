// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
	"github.com/genltestd/genltestd/internal/poll"
)

const rightPassword, wrongPassword = "canary-right-4711", "canary-wrong-4711"

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkRefused expects a temporary error with a text and without a secret.
func checkRefused(t *testing.T, s sink.Sink, texts ...string) {
	t.Helper()
	n, err := deliverFor(t, s, sinktest.Events(1, 3), shortAttempt)
	if err == nil || n > 0 || sink.Poisoned(err) > 0 || strings.Contains(err.Error(), "canary") {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not contain %q: %v", text, err)
		}
	}
}

// A password or token that is wrong, then right, then rotated to a wrong one again.
func TestSecretsAreReadAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for many attempts without an answer")
	}
	for mechanism, flags := range map[string][]string{
		saslPlain:    {"-superuser", "PLAIN:feed:" + rightPassword},
		saslScram256: {"-superuser", "SCRAM-SHA-256:feed:" + rightPassword},
		saslScram512: {"-superuser", "SCRAM-SHA-512:feed:" + rightPassword},
		saslOAuth:    {"-token", rightPassword},
	} {
		t.Run(mechanism, func(t *testing.T) {
			c := startCluster(t, append(flags, "-topic", testTopic+":1")...)
			file := filepath.Join(t.TempDir(), "secret")
			write(t, file, wrongPassword)
			config := testConfig(c)
			config.SASL = SASL{Mechanism: mechanism, User: "feed", Password: value.Secret{File: file}}
			if mechanism == saslOAuth {
				config.SASL = SASL{Mechanism: mechanism, Token: value.Secret{File: file}}
			}
			s := newSink(t, config)
			checkRefused(t, s, "correct sasl")
			write(t, file, rightPassword)
			deliver(t, s, sinktest.Events(1, 3))
			write(t, file, wrongPassword)
			checkRefused(t, s, "correct sasl")
			write(t, file, rightPassword)
			deliver(t, s, sinktest.Events(1, 3))
		})
	}
}

func TestMechanismThatTheBrokerDoesNotOffer(t *testing.T) {
	c := startCluster(t, "-superuser", "SCRAM-SHA-256:feed:"+rightPassword)
	config := testConfig(c)
	config.SASL = SASL{Mechanism: saslPlain, User: "feed", Password: value.Inline(rightPassword)}
	checkRefused(t, newSink(t, config), "correct sasl")
}

// The user may not write to the topic. When the right is added, the events arrive.
func TestMissingRightIsRetried(t *testing.T) {
	c := startCluster(t, "-acls", "-topic", testTopic+":1", "-superuser", "PLAIN:admin:admin", "-user", "PLAIN:feed:"+rightPassword)
	config := testConfig(c)
	config.SASL = SASL{Mechanism: saslPlain, User: "feed", Password: value.Inline(rightPassword)}
	s := newSink(t, config)
	checkRefused(t, s, "TOPIC_AUTHORIZATION_FAILED", `user "feed"`, "ACLs Write and Describe")
	allow(t, c, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe)
	poll.UntilNil(t, "the events are accepted", func() error {
		_, err := deliverFor(t, s, sinktest.Events(1, 3), shortAttempt)
		return err
	})
}

// allow lets the user feed do these operations on the topic.
func allow(t *testing.T, c *cluster, operations ...kmsg.ACLOperation) {
	t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(c.direct...), kgo.SASL(plain.Auth{User: "admin", Pass: "admin"}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	request := kmsg.NewPtrCreateACLsRequest()
	for _, operation := range operations {
		creation := kmsg.NewCreateACLsRequestCreation()
		creation.ResourceType, creation.ResourceName = kmsg.ACLResourceTypeTopic, testTopic
		creation.ResourcePatternType, creation.Principal, creation.Host = kmsg.ACLResourcePatternTypeLiteral, "User:feed", "*"
		creation.Operation, creation.PermissionType = operation, kmsg.ACLPermissionTypeAllow
		request.Creations = append(request.Creations, creation)
	}
	if _, err := request.RequestWith(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
}

// Certificates are read for each connection. An expired certificate is replaced without a loss.
func TestCertificates(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for attempts without an answer")
	}
	ca := sinktest.NewCA(t)
	cert, key := ca.Issue(t, "broker", time.Hour)
	clientCert, clientKey := ca.Issue(t, "client", -time.Minute)
	c := startCluster(t, "-cert", cert, "-key", key, "-client-ca", ca.File, "-topic", testTopic+":1")
	config := testConfig(c)
	config.Addresses, config.TLS = c.addresses("tls"), sinktest.TLS(ca.File, clientCert, clientKey)
	s := newSink(t, config)
	checkRefused(t, s, "kafka tls://")
	ca.Issue(t, "client", time.Hour)
	deliver(t, s, sinktest.Events(1, 3))

	before := s.link.opened()
	ca.Issue(t, "client", 2*time.Hour)
	deliver(t, s, sinktest.Events(4, 3))
	for _, old := range before {
		if old.isOpen() {
			t.Error("a connection with the replaced certificate is still open")
		}
	}

	ca.Issue(t, "broker", -time.Minute)
	c.Restart()
	checkRefused(t, s, "expired")
	ca.Issue(t, "broker", time.Hour)
	deliverAll(t, s, sinktest.Events(7, 3), 3, func(int) {})
}

func TestUnknownAuthorityIsRefused(t *testing.T) {
	ca := sinktest.NewCA(t)
	cert, key := ca.Issue(t, "broker", time.Hour)
	c := startCluster(t, "-cert", cert, "-key", key)
	config := testConfig(c)
	config.Addresses, config.TLS = c.addresses("tls"), sinktest.TLS(sinktest.NewCA(t).File, "", "")
	checkRefused(t, newSink(t, config), "unknown authority")
}

// opened returns the open connections.
func (l *link) opened() (all []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		all = append(all, c)
	}
	return all
}

func (c *conn) isOpen() bool {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	_, open := c.link.open[c]
	return open
}

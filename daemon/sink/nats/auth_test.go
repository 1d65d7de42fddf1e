// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newKey(t testing.TB, prefix nkeys.PrefixByte) (pair nkeys.KeyPair, public, seed string) {
	t.Helper()
	pair, err := nkeys.CreatePair(prefix)
	if err != nil {
		t.Fatal(err)
	}
	public, err = pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return pair, public, string(text)
}

// checkRotation checks that wrong credentials are an error that explains itself, that events
// wait for correct ones, and that credentials replaced on both sides are used without loss.
func checkRotation(t *testing.T, c *Config, spoil, correct, rotate func(), js jetstream.JetStream, secrets ...string) {
	t.Helper()
	s := newSink(t, c)
	spoil()
	n, err := attempt(t, s, sinktest.Events(1, 3))
	if n != 0 || err == nil || sink.Poisoned(err) > 0 || !strings.Contains(err.Error(), "authorization failed for ") {
		t.Fatalf("wrong credentials: %d, %v", n, err)
	}
	for _, secret := range secrets {
		if strings.Contains(fmt.Sprintf("%+v %#v %v", err, err, err), secret) {
			t.Errorf("the error contains a secret: %v", err)
		}
	}
	correct()
	deliver(t, s, sinktest.Events(1, 1000))
	rotate()
	deliver(t, s, sinktest.Events(1001, 1000))
	checkExactlyOnce(t, stored(t, js), 2000)
}

func TestTokenIsRotated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	server := startServer(t, `authorization { token: "first-token" }`)
	_, js := client(t, string(server.url()), nats.TokenHandler(func() string {
		text, err := os.ReadFile(file)
		if err != nil || string(text) == "wrong-token" {
			return "first-token"
		}
		return string(text)
	}))
	createStream(t, js, nil)
	c := config(server.url())
	c.Token = value.Secret{File: file}
	checkRotation(t, c,
		func() { write(t, file, "wrong-token") },
		func() { write(t, file, "first-token") },
		func() {
			server.configure(t, `authorization { token: "second-token" }`)
			write(t, file, "second-token")
			server.Restart()
		}, js, "wrong-token", "first-token")
}

func TestPasswordIsRotated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	users := func(password string) string {
		return fmt.Sprintf(`authorization { users: [{user: "sink", password: %q}, {user: "admin", password: "admin-password"}] }`, password)
	}
	server := startServer(t, users("first-password"))
	_, js := client(t, string(server.url()), nats.UserInfo("admin", "admin-password"))
	createStream(t, js, nil)
	c := config(server.url())
	c.User, c.Password = "sink", value.Secret{File: file}
	checkRotation(t, c,
		func() { write(t, file, "wrong-password") },
		func() { write(t, file, "first-password") },
		func() {
			server.configure(t, users("second-password"))
			write(t, file, "second-password")
			server.Restart()
		}, js, "wrong-password")
}

func TestNkeyIsRotated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed")
	admin, adminPublic, _ := newKey(t, nkeys.PrefixByteUser)
	_, first, firstSeed := newKey(t, nkeys.PrefixByteUser)
	_, second, secondSeed := newKey(t, nkeys.PrefixByteUser)
	_, _, wrongSeed := newKey(t, nkeys.PrefixByteUser)
	users := func(public string) string {
		return fmt.Sprintf(`authorization { users: [{nkey: %q}, {nkey: %q}] }`, public, adminPublic)
	}
	server := startServer(t, users(first))
	_, js := client(t, string(server.url()), nats.Nkey(adminPublic, admin.Sign))
	createStream(t, js, nil)
	c := config(server.url())
	c.Nkey = value.Secret{File: file}
	checkRotation(t, c,
		func() { write(t, file, wrongSeed) },
		func() { write(t, file, firstSeed) },
		func() {
			server.configure(t, users(second))
			write(t, file, secondSeed)
			server.Restart()
		}, js, wrongSeed)
}

// An operator signs accounts, and an account signs users.
type operator struct {
	pair, account       nkeys.KeyPair
	public, accountName string
}

func newOperator(t testing.TB) *operator {
	t.Helper()
	o := &operator{}
	o.pair, o.public, _ = newKey(t, nkeys.PrefixByteOperator)
	o.account, o.accountName, _ = newKey(t, nkeys.PrefixByteAccount)
	return o
}

// sign returns a JWT in the form of NATS.
func sign(t testing.TB, by nkeys.KeyPair, name, subject string, expires time.Time, claims map[string]any) string {
	t.Helper()
	issuer, err := by.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	claims["version"] = 2
	body := map[string]any{"iat": time.Now().Unix(), "iss": issuer, "name": name, "sub": subject, "nats": claims}
	if !expires.IsZero() {
		body["exp"] = expires.Unix()
	}
	unnamed, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(unnamed)
	body["jti"] = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:])
	payload, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + encode(payload)
	signature, err := by.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

// configuration returns the lines of a server of this operator.
func (o *operator) configuration(t testing.TB) string {
	t.Helper()
	limits := map[string]any{
		"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
		"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
	}
	account := sign(t, o.pair, "events", o.accountName, time.Time{}, map[string]any{"type": "account", "limits": limits})
	_, system, _ := newKey(t, nkeys.PrefixByteAccount)
	systemJWT := sign(t, o.pair, "SYS", system, time.Time{}, map[string]any{"type": "account", "limits": map[string]any{
		"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
	}})
	return fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }",
		sign(t, o.pair, "operator", o.public, time.Time{}, map[string]any{"type": "operator"}),
		system, o.accountName, account, system, systemJWT)
}

// credentials returns the text of a .creds file of a new user.
func (o *operator) credentials(t testing.TB, expires time.Time) (text, seed string) {
	t.Helper()
	_, public, seed := newKey(t, nkeys.PrefixByteUser)
	jwt := sign(t, o.account, "sink", public, expires, map[string]any{"type": "user", "subs": -1, "data": -1, "payload": -1})
	return fmt.Sprintf("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n"+
		"-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", jwt, seed), seed
}

func TestCredentialsAreRotated(t *testing.T) {
	dir, o, other := t.TempDir(), newOperator(t), newOperator(t)
	server := startServer(t, o.configuration(t))
	adminText, _ := o.credentials(t, time.Time{})
	_, js := client(t, string(server.url()), nats.UserCredentials(write(t, filepath.Join(dir, "admin.creds"), adminText)))
	createStream(t, js, nil)
	file := filepath.Join(dir, "sink.creds")
	wrong, wrongSeed := other.credentials(t, time.Time{})
	c := config(server.url())
	c.Credentials = value.TLSFile{File: file}
	checkRotation(t, c,
		func() { write(t, file, wrong) },
		func() { text, _ := o.credentials(t, time.Time{}); write(t, file, text) },
		func() { text, _ := o.credentials(t, time.Time{}); write(t, file, text) },
		js, wrongSeed)
}

// The server closes the connection of a user whose JWT has expired.
func TestExpiredCredentialsWaitForOtherOnes(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a JWT expires")
	}
	dir, o := t.TempDir(), newOperator(t)
	server := startServer(t, o.configuration(t))
	adminText, _ := o.credentials(t, time.Time{})
	_, js := client(t, string(server.url()), nats.UserCredentials(write(t, filepath.Join(dir, "admin.creds"), adminText)))
	createStream(t, js, nil)
	text, _ := o.credentials(t, time.Now().Add(2*time.Second))
	c := config(server.url())
	c.Credentials = value.TLSFile{File: write(t, filepath.Join(dir, "sink.creds"), text)}
	s := newSink(t, c)
	var err error
	next := 1
	for err == nil {
		var n int
		if n, err = attempt(t, s, sinktest.Events(next, 10)); n < 10 && err == nil {
			t.Fatal("a part was accepted without an error")
		}
		next += n
	}
	if sink.Poisoned(err) > 0 || !strings.Contains(strings.ToLower(err.Error()), "expired") {
		t.Errorf("%v", err)
	}
	text, _ = o.credentials(t, time.Time{})
	write(t, c.Credentials.File, text)
	deliver(t, s, sinktest.Events(next, 100))
	checkExactlyOnce(t, stored(t, js), next+99)
}

func TestInvalidCredentialsNameTheKey(t *testing.T) {
	dir := t.TempDir()
	bad := write(t, filepath.Join(dir, "bad"), "SUA-not-a-seed")
	for key, change := range map[string]func(*Config){
		"nkey":        func(c *Config) { c.Nkey = value.Secret{File: bad} },
		"credentials": func(c *Config) { c.Credentials = value.TLSFile{File: bad} },
		"token":       func(c *Config) { c.Token = value.Secret{File: filepath.Join(dir, "missing")} },
		"password":    func(c *Config) { c.User, c.Password = "sink", value.Secret{File: filepath.Join(dir, "missing")} },
	} {
		c := config("nats://127.0.0.1:1")
		change(c)
		if err := c.Verify(nil); err == nil || !strings.HasPrefix(err.Error(), "nats."+key+": ") || strings.Contains(err.Error(), "SUA-") {
			t.Errorf("%s: Verify returns %v", key, err)
		}
		if n, err := attempt(t, newSink(t, c), sinktest.Events(1, 1)); n != 0 || err == nil || !strings.HasPrefix(err.Error(), key+": ") {
			t.Errorf("%s: %d, %v", key, n, err)
		}
	}
}

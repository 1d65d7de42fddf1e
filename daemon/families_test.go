// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/internal/fakekernel"
	"github.com/genltestd/genltestd/internal/kernelmsg"
	"github.com/genltestd/genltestd/internal/poll"
	"github.com/genltestd/genltestd/metrics/scrape"
)

// register adds a family with one group to the kernel.
func (k *fakeKernel) register(family string, id uint16, groups ...string) {
	k.Set(func() {
		if k.Others == nil {
			k.Others = make(map[string]genl.FamilyIDs)
		}
		k.Others[family] = fakekernel.IDs(id, 10*uint32(id), groups...)
	})
}

// multicast sends an event of a family's first group.
func (k *fakeKernel) multicast(family, text string) {
	ids := k.Others[family]
	k.SocketOf(family).Send(genl.Message{Data: kernelmsg.EventOf(ids.ID, kernelmsg.Text(text)), Group: ids.Groups[0].ID})
}

// startFamilies starts with the configuration, in which DIR is a directory of the test. The
// kernel has the families genltest, alpha and beta, and gamma without a multicast group.
func startFamilies(t *testing.T, yaml string) *reloadable {
	t.Helper()
	k := newKernel()
	k.register("alpha", 40, "a1", "a2")
	k.register("beta", 41, "b")
	k.register("gamma", 42)
	return startReloadableOn(t, k, yaml)
}

// count waits until the output has n events of a family.
func (r *reloadable) count(t *testing.T, family string, n int) {
	t.Helper()
	part := `"family":"` + family + `"`
	poll.Until(t, fmt.Sprintf("%d events of %s", n, family), func() bool { return strings.Count(r.stdout.String(), part) >= n })
	if got := strings.Count(r.stdout.String(), part); got != n {
		t.Errorf("%d events of %s, want %d", got, family, n)
	}
}

func TestEventsOfEveryConfiguredFamilyReachTheSinks(t *testing.T) {
	r := startFamilies(t, listenAnywhere+"families:\n- genltest\n- {name: alpha, groups: [a1]}\n- beta\n")
	r.ready(t)
	r.kernel.SocketOf("genltest").Send(genl.Message{Data: kernelmsg.Event("one")})
	r.kernel.multicast("alpha", "two")
	r.kernel.multicast("beta", "three")
	for _, family := range []string{"genltest", "alpha", "beta"} {
		r.count(t, family, 1)
	}
	poll.Until(t, "the status", func() bool { return strings.Contains(r.statusLine(), "; 3 events; ") })
	want := "subscribed to genltest/mcgrp (family 34), alpha/a1 (family 40), beta (family 41); 3 events; "
	if got := r.statusLine(); !strings.HasPrefix(got, want) {
		t.Errorf("the status is %q, want %q", got, want)
	}
}

// Most users do not have the test family.
func TestWithoutGenltestTheDaemonDoesNotDependOnIt(t *testing.T) {
	r := startFamilies(t, listenAnywhere+"echo: {interval: 1s, timeout: 1s}\nfamilies: [alpha]\n")
	r.kernel.Set(func() { r.kernel.IDs = genl.FamilyIDs{} })
	r.ready(t)
	_, page := r.get(t, "/metrics")
	for _, text := range []string{`"genltest"`, "genltestd_echo_"} {
		if strings.Contains(page, text) {
			t.Errorf("the metrics contain %s", text)
		}
	}
	if got := r.statusLine(); !strings.HasPrefix(got, "subscribed to alpha (family 40); 0 events; ") {
		t.Errorf("the status is %q", got)
	}
}

func TestTheFaultOfAFamilyIsShownInEachPlace(t *testing.T) {
	r := startFamilies(t, listenAnywhere+"families: [alpha, gamma, delta]\n")
	r.kernel.multicast("alpha", "one")
	r.count(t, "alpha", 1)
	code, page := r.get(t, "/readyz")
	for _, line := range []string{
		"receiver: the family gamma does not have multicast groups, so its events cannot be received\n",
		"receiver: the family delta is not registered; ",
	} {
		if code != http.StatusServiceUnavailable || !strings.Contains(page, line) {
			t.Errorf("/readyz: %d, without %q: %s", code, line, page)
		}
	}
	poll.Until(t, "the event in the status", func() bool { return strings.Contains(r.statusLine(), "; 1 events; ") })
	status := r.statusLine()
	if !strings.HasPrefix(status, "DEGRADED: subscribed to alpha (family 40); waiting for the family delta; 1 events; ") ||
		!strings.Contains(status, "; the family gamma does not have multicast groups") {
		t.Errorf("the status is %q", status)
	}
	_, text := r.get(t, "/metrics")
	for series, want := range map[string]float64{
		`{family="gamma",reason="groups"}`: 1, `{family="gamma",reason="absent"}`: 0,
		`{family="delta",reason="absent"}`: 1, `{family="alpha"}`: 0,
	} {
		if got, ok := scrape.Sum(text, "genltestd_family_fault"+series); !ok || got != want {
			t.Errorf("genltestd_family_fault%s is %v, want %v", series, got, want)
		}
	}
}

func TestReloadsAddAndRemoveFamilies(t *testing.T) {
	const head = listenAnywhere + "families: [genltest, alpha"
	r := startFamilies(t, head+"]\n")
	alpha := r.kernel.SocketOf("alpha")
	for i := range 5 {
		done := r.mustReload(t, head+", beta]\n")
		if want := (api.Families{Added: []string{"beta"}}); !cmp.Equal(want, done.Families) {
			t.Fatalf("the answer to the reload lists %+v, want %+v", done.Families, want)
		}
		r.kernel.multicast("alpha", fmt.Sprint(i))
		r.kernel.multicast("beta", fmt.Sprint(i))
		done = r.mustReload(t, head+"]\n")
		if want := (api.Families{Removed: []string{"beta"}}); !cmp.Equal(want, done.Families) {
			t.Fatalf("the answer to the reload lists %+v, want %+v", done.Families, want)
		}
		r.count(t, "beta", i+1) // queued when the family was removed
		r.count(t, "alpha", i+1)
		poll.Until(t, "the end of beta", func() bool {
			_, page := r.get(t, "/metrics")
			return !strings.Contains(page, `genltestd_subscribed{family="beta"`)
		})
	}
	if got := r.kernel.SocketOf("alpha"); got != alpha || got.Closed {
		t.Error("the reloads have touched the socket of alpha")
	}
}

func TestAReloadWarnsOfANewFamilyThatIsAbsent(t *testing.T) {
	r := startFamilies(t, listenAnywhere)
	done := r.mustReload(t, listenAnywhere+"families: [genltest, alpha, delta]\n")
	if len(done.Warnings) != 1 || !strings.HasPrefix(done.Warnings[0], "family delta: ") {
		t.Errorf("warnings %q", done.Warnings)
	}
}

func TestAReloadRejectsAFamilyWithoutMulticastGroups(t *testing.T) {
	r := startFamilies(t, listenAnywhere)
	_, err := r.reload(t, listenAnywhere+"families:\n- genltest\n- gamma\n")
	const want = "test.yaml:4:3: families[1]: the family gamma does not have multicast groups, so its events cannot be received"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAReloadThatFailsKeepsTheFamilies(t *testing.T) {
	r := startFamilies(t, listenAnywhere+"families: [genltest, alpha]\n")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, text := range []string{
		listenAnywhere + "families: [beta, {name: alpha, spec: /no/such/file}]\n",
		"http: {listen: '" + taken.Addr().String() + "'}\nfamilies: [beta]\n",
	} {
		if _, err := r.reload(t, text); err == nil {
			t.Fatalf("a reload of %s succeeds", text)
		}
		if got := len(r.reception.States()); got != 2 {
			t.Errorf("%d families are received", got)
		}
		if s := r.kernel.SocketOf("beta"); s != nil && !s.Closed {
			t.Error("the socket of beta is open")
		}
	}
	r.kernel.multicast("alpha", "one")
	r.count(t, "alpha", 1)
}

// The events are delivered, but filters over their attributes do not work.
func TestASpecificationThatIsMissingAtTheStartIsShownUntilAReloadReadsIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alpha.yaml")
	yaml := listenAnywhere + "families: [{name: alpha, spec: " + file + "}]\n"
	r := startFamilies(t, yaml)
	r.kernel.multicast("alpha", "one")
	r.count(t, "alpha", 1)
	fault := func() (faulty bool, page string) {
		t.Helper()
		code, page := r.get(t, "/readyz")
		_, text := r.get(t, "/metrics")
		value, ok := scrape.Sum(text, `genltestd_family_fault{family="alpha",reason="spec"}`)
		isReady, isGood := code == http.StatusOK, !strings.HasPrefix(r.statusLine(), "DEGRADED")
		if !ok || isReady != isGood || isReady != (value == 0) {
			t.Errorf("/readyz: %d, the metric: %v, the status: %q", code, value, r.statusLine())
		}
		return !isReady, page
	}
	poll.Until(t, "the status", func() bool { return strings.Contains(r.statusLine(), "; 1 events; ") })
	if faulty, page := fault(); !faulty || !strings.Contains(page, "specification of alpha: ") || !strings.Contains(page, file) {
		t.Errorf("the page is %q", page)
	}
	const spec = `{name: alpha, protocol: genetlink, operations: {list: [{name: one, attribute-set: main}]},
attribute-sets: [{name: main, attributes: [{name: text, type: string}]}]}`
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	r.mustReload(t, yaml)
	poll.Until(t, "the status", func() bool { return !strings.HasPrefix(r.statusLine(), "DEGRADED") })
	if faulty, page := fault(); faulty {
		t.Errorf("after the reload the page is %q", page)
	}
}

// TestEventsOfAFamilyThatWasRemovedBeforeARestartAreDecoded: the journal may still contain them.
func TestEventsOfAFamilyThatWasRemovedBeforeARestartAreDecoded(t *testing.T) {
	r := startFamilies(t, listenAnywhere+"families: [genltest, alpha]\n")
	device := kernelmsg.Message(33, 2, 1, kernelmsg.Attr(1, []byte{5, 0, 0, 0}))
	data := genl.AppendMulticast(nil, &genl.Multicast{Family: "netdev", Group: "mgmt", Message: device})
	for range 2 {
		e, err := r.decoder.Decode(journal.Record{Seq: 1, Data: data})
		if err != nil || e.Content == nil || e.Content.Command != "dev-add-ntf" {
			t.Fatalf("an event of netdev, which is not configured, is decoded as %+v, %v", e.Content, err)
		}
	}
}

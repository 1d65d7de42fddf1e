// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser

import (
	"slices"
	"strings"
	"testing"
)

const (
	healthy = "Events are received and delivered"
	gone    = "The daemon does not answer"
	broken  = "Events do not reach hook"
)

func TestPageOfAHealthyDaemon(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	var tabs []*tab
	for _, s := range screens {
		tabs = append(tabs, c.open(t, d.address, s, true))
	}
	causeEvents(t, 1234)
	for i, b := range tabs {
		b.await(healthy, "1,234", longSink)
		b.awaitCharts()
		b.checkQuiet(d.address)
		b.checkOn(screens[i:i+1], "healthy")
	}
}

// The page is not loaded again while a sink fails, the daemon is killed and restarted, and the sink
// is repaired.
func TestPageFollowsFaultsAndRepairs(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	b := c.open(t, d.address, laptop, true)
	b.await(healthy)

	d.hook.fail("the disk is full")
	causeEvents(t, 3)
	b.await("1 fault", broken+": ", "503", "the disk is full", "3 events wait", "retrying")
	b.awaitCharts()
	b.checkOn(twoScreens, "broken")
	b.checkQuiet(d.address)

	d.Kill()
	b.await(gone, "the last answer is from 2", broken, "retrying")
	var at string
	b.eval("at.textContent", &at)
	if text := b.text(); !strings.HasSuffix(at, " UTC") || !strings.Contains(text, "the last answer is from "+at+"\n") {
		t.Errorf("the last answer is from %s, the page shows:\n%s", at, text)
	}
	b.checkOn(twoScreens, "gone")

	d.Restart()
	b.await("1 fault", broken, "retrying")
	if text := b.text(); strings.Contains(text, "old state") {
		t.Errorf("the page after a restart:\n%s", text)
	}
	d.hook.repair()
	b.await(healthy)
	var problems int
	if b.eval("problems.hidden ? 0 : 1", &problems); problems != 0 || b.loaded() != 1 {
		t.Errorf("%d loads; the page of a healthy daemon:\n%s", b.loaded(), b.text())
	}
}

// A daemon that does not answer need not have ended.
func TestPageOfAFrozenDaemon(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	b := c.open(t, d.address, phone, true)
	b.await(healthy)
	d.Freeze()
	b.await(gone, "the last answer is from 2")
	d.Thaw()
	b.await(healthy)
}

// A screen reader announces a fault once, although the number of events that wait grows.
func TestPageAnnouncesEachFaultOnce(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	b := c.open(t, d.address, phone, true)
	b.await(healthy)
	b.eval(`spoken = []; new MutationObserver(() => spoken.push(news.textContent)).observe(news, {childList: true}); 0`, nil)
	d.hook.fail("the disk is full")
	for _, waiting := range []string{"1 event waits", "2 events wait", "3 events wait"} {
		causeEvents(t, 1)
		b.await(broken, waiting)
	}
	d.hook.repair()
	b.await(healthy)
	var spoken []string
	b.eval("spoken", &spoken)
	if want := []string{"1 fault. " + broken, healthy}; !slices.Equal(spoken, want) {
		t.Errorf("announced %q, want %q", spoken, want)
	}
}

// hostile is an answer that runs a script if the page interprets it, and that hides text.
const hostile = `<script>document.title="run"</script><img src=x onerror="document.title='run'">` + "\x1b[31m\x07\u202e\u2028&lt;"

// The text of a fault contains the answer of a server. The page shows it as text, with control
// characters replaced.
func TestPageShowsHostileTextAsText(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	first := c.open(t, d.address, phone, true)
	d.hook.fail(hostile)
	causeEvents(t, 1)
	first.await(broken)
	for name, b := range map[string]*tab{
		"hostile-changed":   first,
		"hostile-loaded":    c.open(t, d.address, phone, true),
		"hostile-noscripts": c.open(t, d.address, phone, false),
	} {
		text := b.text()
		if !strings.Contains(text, `<script>document.title="run"</script><img src=x onerror=`) || !strings.Contains(text, "&lt;") ||
			strings.ContainsAny(text, "\x1b\x07\u202e\u2028") {
			t.Errorf("%s: %q", name, text)
		}
		var title string
		if b.eval("document.title", &title); title != "✗ genltestd" {
			t.Errorf("%s: the title is %q", name, title)
		}
		b.checkQuiet(d.address)
		b.checkFits()
		b.picture(name)
		b.checkAccessible()
	}
}

// Without scripts the page shows the same states, as they were when it was requested.
func TestPageWithoutScripts(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	check := func(name string, parts ...string) {
		parts = append(parts, "State at 2", "ethtool", longSink)
		c.open(t, d.address, laptop, true).await(parts...)
		static := c.open(t, d.address, laptop, false)
		text := static.text()
		for _, part := range append(parts, "This page does not change by itself. Refresh") {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", name, part, text)
			}
		}
		static.checkQuiet(d.address)
		for _, s := range twoScreens {
			static.show(s)
			static.checkFits()
			static.picture(name + "-noscripts-" + s.String())
		}
		static.checkAccessible()
	}
	check("healthy", healthy, "idle")

	d.hook.fail("the disk is full")
	causeEvents(t, 2)
	check("broken", "1 fault", broken+": ", "the disk is full; 2 events wait", "retrying")
}

// All links and requests of the page stay below the prefix of a proxy.
func TestPageBehindAProxyWithAPrefix(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	address := startProxy(t, d, "/ops/genltestd/")
	b := c.open(t, strings.TrimSuffix(address, "/"), laptop, true)
	causeEvents(t, 1234)
	b.await(healthy, "1,234")
	b.awaitCharts()
	b.checkQuiet(strings.TrimSuffix(address, "/"))
	b.checkOn([]screen{phone}, "proxy")
	var links []string
	b.eval("[...document.links].map((a) => a.href)", &links)
	if len(links) < 4 {
		t.Errorf("links: %q", links)
	}
	for _, link := range links {
		if err := answers(link)(); err != nil || !strings.HasPrefix(link, address) {
			t.Errorf("%s: %v", link, err)
		}
	}
	d.Kill() // the proxy answers in its place
	b.await(gone, "the last answer is from 2")
	d.Restart()
	b.await(healthy)
}

// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/genltestd/genltestd/internal/poll"
)

// screenshotsVariable names the variable that contains the directory for pictures of the pages. If it is
// empty, the tests write no pictures.
const screenshotsVariable = "GENLTEST_SCREENSHOTS"

// A screen is how a page is shown.
type screen struct {
	width, height int // in CSS pixels
	scheme        string
}

var (
	phone  = screen{390, 844, "light"}
	laptop = screen{1280, 800, "light"}
	// The first one is the narrowest that WCAG 2.2 requires.
	screens = []screen{{320, 640, "light"}, phone, {390, 844, "dark"}, laptop, {1280, 800, "dark"}}
	// twoScreens show both layouts, and both colour schemes.
	twoScreens = []screen{{390, 844, "dark"}, laptop}
)

func (s screen) String() string { return fmt.Sprintf("%dx%d-%s", s.width, s.height, s.scheme) }

// A tab shows one page, and records what it does. The methods must be called from the goroutine of
// the test.
type tab struct {
	*testing.T
	browser *chromium
	session string
	screen  screen

	mu       sync.Mutex
	errors   []string // messages in the console, exceptions, violations of the policy
	requests []string // addresses
	loads    int      // documents that were loaded
}

// open shows a page and waits until it is loaded.
func (c *chromium) open(t *testing.T, address string, s screen, withScripts bool) *tab {
	t.Helper()
	b := &tab{T: t, browser: c}
	var context, target, attached struct {
		BrowserContextID, TargetID, SessionID string
	}
	// A context has its own cache, as a window in incognito mode.
	b.must(c.call("", "Target.createBrowserContext", nil, &context))
	b.must(c.call("", "Target.createTarget", object{"url": "about:blank", "browserContextId": context.BrowserContextID}, &target))
	b.must(c.call("", "Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached))
	b.session = attached.SessionID
	events := make(chan message)
	go b.record(events)
	c.listen(b.session, events)
	for _, domain := range []string{"Page", "Network", "Log", "Runtime"} {
		b.call(domain+".enable", nil, nil)
	}
	b.show(s)
	b.call("Emulation.setScriptExecutionDisabled", object{"value": !withScripts}, nil)
	var navigated struct{ ErrorText string }
	b.call("Page.navigate", object{"url": address}, &navigated)
	if navigated.ErrorText != "" {
		t.Fatalf("%s: %s", address, navigated.ErrorText)
	}
	poll.Until(t, address+" is loaded", func() bool { return b.loaded() > 0 })
	return b
}

// loaded returns how many documents were loaded.
func (b *tab) loaded() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loads
}

func (b *tab) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *tab) call(method string, params object, result any) {
	b.Helper()
	b.must(b.browser.call(b.session, method, params, result))
}

// show changes the size and the colours of the screen.
func (b *tab) show(s screen) {
	b.Helper()
	b.screen = s
	b.call("Emulation.setDeviceMetricsOverride", object{
		"width": s.width, "height": s.height, "deviceScaleFactor": 1, "mobile": s.width < 500,
	}, nil)
	b.call("Emulation.setEmulatedMedia", object{
		"features": []object{{"name": "prefers-color-scheme", "value": s.scheme}},
	}, nil)
}

// record records events until the browser ends.
func (b *tab) record(events <-chan message) {
	for m := range events {
		b.mu.Lock()
		switch m.Method {
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
			b.errors = append(b.errors, string(m.Params))
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			if err := json.Unmarshal(m.Params, &p); err != nil {
				b.errors = append(b.errors, err.Error())
			}
			b.requests = append(b.requests, p.Request.URL)
		case "Page.loadEventFired":
			b.loads++
		}
		b.mu.Unlock()
	}
}

// eval evaluates an expression in the page and decodes its value.
func (b *tab) eval(expression string, value any) {
	b.Helper()
	b.evaluate(expression, value, object{})
}

// evaluate is eval with other parameters, such as awaitPromise.
func (b *tab) evaluate(expression string, value any, params object) {
	b.Helper()
	params["expression"], params["returnByValue"] = expression, true
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", params, &answer)
	if answer.ExceptionDetails != nil {
		b.Fatalf("%.100s: %s", expression, answer.ExceptionDetails)
	}
	if value != nil {
		b.must(json.Unmarshal(answer.Result.Value, value))
	}
}

// text returns the visible text of the page.
func (b *tab) text() (text string) {
	b.Helper()
	b.eval("document.body.innerText", &text)
	return text
}

// await waits until the visible text of the page contains all parts.
func (b *tab) await(parts ...string) {
	b.Helper()
	poll.UntilNil(b, "the page changes", func() error {
		text := b.text()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return fmt.Errorf("no %q in\n%s", part, text)
			}
		}
		return nil
	})
}

// awaitCharts waits until the page has drawn a line.
func (b *tab) awaitCharts() {
	b.Helper()
	poll.Until(b, "the page draws charts", func() (drawn bool) {
		b.eval(`(document.querySelector("polyline")?.points.length ?? 0) > 1`, &drawn)
		return drawn
	})
}

// press presses a key.
func (b *tab) press(key string, code int) {
	b.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		b.call("Input.dispatchKeyEvent", object{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
	}
}

// checkQuiet checks that nothing was written to the console, that the page was loaded once, and that
// each request begins with an address.
func (b *tab) checkQuiet(address string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errors) > 0 || b.loads != 1 {
		b.Errorf("%d loads, console: %s", b.loads, strings.Join(b.errors, "\n"))
	}
	if len(b.requests) == 0 {
		b.Error("no request is recorded")
	}
	if i := slices.IndexFunc(b.requests, func(r string) bool { return !strings.HasPrefix(r, address) && r != "data:," }); i >= 0 {
		b.Errorf("the page requests %s", b.requests[i])
	}
}

// checkFits checks that the page is not wider than the screen. (A phone zooms out to show a wider
// page, so innerWidth is not the width of the screen.)
func (b *tab) checkFits() {
	b.Helper()
	var width int
	b.eval("Math.max(innerWidth, document.documentElement.scrollWidth, document.body.scrollWidth)", &width)
	if width != b.screen.width {
		b.Errorf("the page is %d pixels wide, the screen %d", width, b.screen.width)
	}
}

// picture writes a picture of the complete page to the directory of screenshots.
func (b *tab) picture(name string) {
	b.Helper()
	dir := os.Getenv(screenshotsVariable)
	if dir == "" {
		return
	}
	var shot struct{ Data []byte }
	b.call("Page.captureScreenshot", object{"captureBeyondViewport": true}, &shot)
	b.must(os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o644))
}

// checkOn checks the page on each screen.
func (b *tab) checkOn(screens []screen, name string) {
	b.Helper()
	for _, s := range screens {
		b.show(s)
		b.checkFits()
		b.checkAccessible()
		b.picture(name + "-" + s.String())
	}
}

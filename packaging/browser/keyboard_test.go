// SPDX-License-Identifier: Apache-2.0

//go:build browser

package browser

import (
	"slices"
	"testing"
)

// interactive lists the elements that a user can operate. focused describes the element with the
// focus: its text, its position and the width of its outline.
const (
	interactive = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
		.filter((e) => e.checkVisibility()).map((e) => e.textContent)`
	focused = `(() => {
		const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
		return {
			text: e === document.body ? "" : e.textContent,
			onScreen: box.width > 0 && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth,
			outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
		};
	})()`
)

// Tab reaches each element that a user can operate, in the order of the page, and shows where the
// focus is.
func TestPageIsUsableByKeyboard(t *testing.T) {
	d, c := startDaemon(t), startChromium(t)
	for _, withScripts := range []bool{true, false} {
		b := c.open(t, d.address, phone, withScripts)
		if withScripts {
			b.awaitCharts()
		}
		var want, got []string
		b.eval(interactive, &want)
		if len(want) < 4 || !withScripts && !slices.Contains(want, "Refresh") {
			t.Errorf("with scripts %v, the page has the elements %q", withScripts, want)
		}
		for range want {
			b.press("Tab", 9)
			var f struct {
				Text     string
				OnScreen bool
				Outline  float64
			}
			b.eval(focused, &f)
			if !f.OnScreen || f.Outline < 2 {
				t.Errorf("the focus on %q is not visible: %+v", f.Text, f)
			}
			got = append(got, f.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Tab reaches %q, want %q", got, want)
		}
		b.picture("keyboard")
	}
}

// SPDX-License-Identifier: Apache-2.0

// Program dashboard writes the dashboard for Grafana.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboard FILE")
		os.Exit(64)
	}
	text, err := render()
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

func render() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(build()); err != nil {
		return nil, fmt.Errorf("encode the dashboard: %w", err)
	}
	return b.Bytes(), nil
}

// build returns the dashboard with its panels in rows.
func build() dashboard {
	l := layout{}
	for _, s := range sections() {
		l.add(s)
	}
	return dashboard{
		Title: "genltestd", UID: "genltestd", Tags: []string{"genltestd"}, SchemaVersion: 38, Editable: true, Refresh: "30s",
		Description: "Reception, journal and delivery of genltestd. It needs the recording rules of docs/observability.md.",
		Time:        span{"now-6h", "now"}, Templating: templating{variables()}, Panels: l.panels,
	}
}

const width = 24 // of a row, in Grafana's units

// A layout arranges panels from left to right, then below.
type layout struct {
	panels  []panel
	x, y, h int // h is the height of the present line
}

func (l *layout) add(s section) {
	l.place(panel{Type: "row", Title: s.title, GridPos: position{H: 1, W: width}})
	for _, c := range s.charts {
		l.place(c.panel())
	}
}

func (l *layout) place(p panel) {
	if l.x+p.GridPos.W > width || p.GridPos.H != l.h {
		l.x, l.y, l.h = 0, l.y+l.h, p.GridPos.H
	}
	p.ID, p.GridPos.X, p.GridPos.Y = len(l.panels)+1, l.x, l.y
	l.x += p.GridPos.W
	l.panels = append(l.panels, p)
}

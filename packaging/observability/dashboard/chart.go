// SPDX-License-Identifier: Apache-2.0

package main

// A section is a row of charts below a title.
type section struct {
	title  string
	charts []chart
}

// A chart is a number if bad is set, else curves over time.
type chart struct {
	title, about, unit string
	bad                *float64 // the number is red from this value on
	lines              []line
}

// A line is an expression, with the labels that name its curves.
type line struct{ expr, legend string }

var prometheus = &source{Type: "prometheus", UID: "${datasource}"}

func number(title, unit, about string, bad float64, expr string) chart {
	return chart{title: title, about: about, unit: unit, bad: &bad, lines: []line{{expr, ""}}}
}

func curves(title, unit, about string, lines ...line) chart {
	return chart{title: title, about: about, unit: unit, lines: lines}
}

func (c chart) panel() panel {
	zero := 0.0
	p := panel{Type: "timeseries", Title: c.title, Description: c.about, Datasource: prometheus, GridPos: position{H: 8, W: 8}}
	field := defaults{Unit: c.unit, Min: &zero}
	p.Options = &panelOptions{Legend: &legend{DisplayMode: "list", Placement: "bottom", ShowLegend: true, Calcs: []string{}}}
	if c.bad != nil {
		p.Type, p.GridPos = "stat", position{H: 4, W: 4}
		p.Options = &panelOptions{ReduceOptions: &reduceOptions{Calcs: []string{"lastNotNull"}}, ColorMode: "background"}
		field.Thresholds = &thresholds{Mode: "absolute", Steps: []step{{"green", nil}, {"red", c.bad}}}
	}
	p.FieldConfig = &fieldConfig{Defaults: field, Overrides: []string{}}
	for i, l := range c.lines {
		p.Targets = append(p.Targets, target{
			RefID: string(rune('A' + i)), Datasource: prometheus, Expr: l.expr, LegendFormat: l.legend, Instant: p.Type == "stat",
		})
	}
	return p
}

// variables returns the choices of the user.
func variables() []variable {
	label := func(name, label, metric string) variable {
		return variable{
			Name: name, Label: label, Type: "query", Query: "label_values(" + metric + ", " + name + ")", Datasource: prometheus,
			Refresh: 2, IncludeAll: true, Multi: true, AllValue: ".*", Sort: 1, // refresh with the time range
		}
	}
	return []variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1},
		label("instance", "Host", "genltestd_build_info"),
		label("family", "Family", `genltestd_subscribed{instance=~"$instance"}`),
		label("sink", "Sink", `genltestd_sink_healthy{instance=~"$instance"}`),
	}
}

// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/internal/poll"
)

// dashboardExprs returns the expressions of the dashboard by panel, as Grafana sends them.
func dashboardExprs(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	text, err := os.ReadFile("../observability/grafana/genltestd.json")
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$family", ".*", "$sink", ".*")
	exprs := make(map[string]string)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			exprs[panel.Title+" "+target.RefID] = variables.Replace(target.Expr)
		}
	}
	return exprs
}

// The daemon receives events of one family, another is absent. One sink works, one has dead letters,
// and one fails.
func TestHostDashboardHasDataInEveryPanel(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		refuses, fails := newDestination(t, http.StatusBadRequest), newDestination(t, http.StatusServiceUnavailable)
		load, u := newLoad(t), newUnit(t)
		u.write(t, "families: [{name: ethtool}, {name: genltest}]\nhttp: {listen: \"127.0.0.1:9941\"}\nsinks:\n- {name: out, file: {path: "+
			u.events+"}}\n- "+refuses.sink("refuses")+"\n- "+fails.sink("fails")+"\n")
		u.start(t)
		u.awaitReady(t)
		p := startPrometheus(t, 1)
		exprs := dashboardExprs(t)
		if len(exprs) < 40 {
			t.Fatalf("only %d expressions", len(exprs))
		}
		poll.UntilNil(t, "every panel has data", func() error {
			if err := load.settings(20); err != nil { // latencies of the last minute need events
				return err
			}
			for panel, expr := range exprs {
				if !p.hasData(t, expr) {
					return fmt.Errorf("%s: no data for %s", panel, expr)
				}
				delete(exprs, panel)
			}
			return nil
		})
	})
}

// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/echo"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/kernel"
	"github.com/genltestd/genltestd/daemon/origin"
	"github.com/genltestd/genltestd/daemon/reception"
	"github.com/genltestd/genltestd/metrics"
)

// openReception subscribes to the configured families.
func (d *Daemon) openReception(cfg *config.Config, reg prometheus.Registerer) (*reception.Set, error) {
	return reception.Open(receivedFamilies(cfg), reception.Options{
		Kernel: d.kernel(), Journal: hostJournal{d.journal, func() *origin.Tracker { return d.origins }, &sync.Mutex{}},
		Inboxes: d.opts.Dirs.inboxes(), Registry: reg, State: d.state, Log: d.log,
		Echo: echoConfig(cfg.Echo), Prober: d.opts.Echo, OnChange: d.status.look,
		Now: d.clock.Now, Age: d.clock.Age,
	})
}

// kernel returns the kernel that sends the events.
func (d *Daemon) kernel() reception.Kernel {
	if d.opts.Kernel != nil {
		return d.opts.Kernel
	}
	return kernel.New(d.notifier, d.passed.Stored, component(d.log, "receiver"))
}

// receivedFamilies returns the families of a configuration.
func receivedFamilies(cfg *config.Config) (list []reception.Family) {
	for i := range cfg.Families {
		f := &cfg.Families[i]
		target := genl.Genltest
		if f.Name != config.Genltest {
			target = genl.Target{Family: f.Name, Groups: f.Groups}
		}
		list = append(list, reception.Family{Target: target, BufferBytes: cfg.BufferOf(f)})
	}
	return list
}

// planFamilies implements reload.Options.Families.
func (d *Daemon) planFamilies(cfg *config.Config) (*reception.Plan, error) {
	plan, err := d.reception.Plan(receivedFamilies(cfg))
	var failed *reception.FamilyError
	if !errors.As(err, &failed) {
		return plan, err
	}
	i := slices.IndexFunc(cfg.Families, func(f config.Family) bool { return f.Name == failed.Family })
	return nil, config.Errors{cfg.Fault(fmt.Sprintf("families[%d]", i), "%v", failed.Err)}
}

func echoConfig(c config.Echo) echo.Config {
	return echo.Config{Interval: time.Duration(c.Interval), Timeout: time.Duration(c.Timeout)}
}

// familyStates returns the states of the families for the metrics.
func (d *Daemon) familyStates() (list []metrics.FamilyState) {
	for _, s := range d.reception.States() {
		reason := s.Reason()
		if reason == "" && d.specs.Load().Fault(s.Family) != nil {
			reason = metrics.FamilySpec
		}
		list = append(list, metrics.FamilyState{Family: s.Family, Fault: reason})
	}
	return list
}

// familyFaults returns a line for each reason why events of a configured family cannot
// arrive or be decoded, and for a module that does not answer.
func (d *Daemon) familyFaults(families []reception.State) (lines []string) {
	for _, s := range families {
		switch {
		case s.Absent: // its own text is for the log
			lines = append(lines, "receiver: "+absentFault(s.Family))
		case s.Fault != nil:
			lines = append(lines, "receiver: "+oneLine(s.Fault, maxPageFault))
		case s.Echo != nil:
			lines = append(lines, "echo: "+echoFault(s.Echo))
		}
		if err := d.specs.Load().Fault(s.Family); err != nil {
			lines = append(lines, specFault(s.Family)+oneLine(err, maxPageFault))
		}
	}
	return lines
}

func absentFault(family string) string {
	return "the family " + family + " is not registered; is its module loaded?"
}

func echoFault(err error) string { return "the last health check failed: " + err.Error() }

// specFault returns the beginning of the text about a specification that cannot be read.
func specFault(family string) string {
	return "specification of " + family + ": the attributes have numbers in place of names: "
}

// degradedFamilies returns the faults of families for the status line. A family that is not
// registered is not a fault there.
func (d *Daemon) degradedFamilies(families []reception.State) (faults []string) {
	for _, s := range families {
		switch {
		case s.Absent:
		case s.Fault != nil:
			faults = append(faults, oneLine(s.Fault, maxStatusFault))
		case s.Echo != nil && !errors.Is(s.Echo, echo.ErrUnprobed):
			faults = append(faults, "echo: "+s.Echo.Error())
		}
		if err := d.specs.Load().Fault(s.Family); err != nil {
			faults = append(faults, specFault(s.Family)+oneLine(err, maxStatusFault))
		}
	}
	return faults
}

// familiesStatus returns which families the daemon receives, and for which it waits.
func familiesStatus(families []reception.State) string {
	var present, absent []string
	for _, s := range families {
		name := s.Family
		if len(s.Groups) > 0 {
			name += "/" + strings.Join(s.Groups, ",")
		}
		switch {
		case s.ID != 0:
			present = append(present, fmt.Sprintf("%s (family %d)", name, s.ID))
		case s.Absent:
			absent = append(absent, s.Family)
		}
	}
	subscribed, waiting := "subscribed to "+strings.Join(present, ", "), "waiting for the family "+strings.Join(absent, ", ")
	switch {
	case len(absent) == 0 && len(present) == 0:
		return "not subscribed to a family"
	case len(absent) == 0:
		return subscribed
	case len(present) == 0:
		return waiting
	}
	return subscribed + "; " + waiting
}

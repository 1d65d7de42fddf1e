// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// The reasons why not all events of a family can arrive or be decoded, or why its module is
// unhealthy: the values of the label reason of family_fault.
const (
	FamilyAbsent     = "absent"     // the family is not registered
	FamilyGroups     = "groups"     // the family does not have multicast groups, or not those of the configuration
	FamilyPermission = "permission" // a group requires a capability
	FamilySocket     = "socket"     // the event socket cannot be opened or has failed
	FamilyEcho       = "echo"       // the module of genltest is not known to answer
	FamilySpec       = "spec"       // the specification cannot be read, so attributes are decoded by their numbers
)

// FamilyReasons returns all reasons.
func FamilyReasons() []string {
	return []string{FamilyAbsent, FamilyGroups, FamilyPermission, FamilySocket, FamilyEcho, FamilySpec}
}

// A FamilyState is the state of a configured family.
type FamilyState struct {
	Family string
	Fault  string // one of FamilyReasons; empty without a fault
}

type familyCollector struct {
	states func() []FamilyState
	fault  *prometheus.Desc
}

// RegisterFamilies registers the metric of the faults of families. Each scrape calls states
// once.
func RegisterFamilies(reg prometheus.Registerer, states func() []FamilyState) error {
	c := &familyCollector{states: states, fault: prometheus.NewDesc(prometheus.BuildFQName(namespace, "family", "fault"),
		"1 while the family has this fault; docs/health.md explains each.", []string{"family", "reason"}, nil)}
	if err := reg.Register(c); err != nil {
		return fmt.Errorf("register the metric of families: %w", err)
	}
	return nil
}

// Describe implements prometheus.Collector.
func (c *familyCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.fault }

// Collect implements prometheus.Collector.
func (c *familyCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.states() {
		for _, reason := range FamilyReasons() {
			ch <- prometheus.MustNewConstMetric(c.fault, level, truth(s.Fault == reason), s.Family, reason)
		}
	}
}

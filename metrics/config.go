// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A ConfigState describes the configuration at one time.
type ConfigState struct {
	Hash    string    // of the configuration in use
	Current bool      // no reload has failed since the configuration in use was read
	Since   time.Time // time at which it was read
}

type configCollector struct {
	state                func() ConfigState
	current, since, info *prometheus.Desc
}

// RegisterConfig registers the metrics of the configuration. Each scrape calls state once.
func RegisterConfig(reg prometheus.Registerer, state func() ConfigState) error {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "config", name), help, labels, nil)
	}
	c := &configCollector{
		state: state,
		current: desc("last_reload_successful",
			"1 if the last reload succeeded, or before the first reload. 0 while the configuration on disk is not in use."),
		since: desc("last_reload_success_timestamp_seconds", "Time at which the configuration in use was read."),
		info: desc("info", "1, with a hash of the configuration in use as label. Machines with the same hash have the "+
			"same settings; comments and secrets do not affect it.", "hash"),
	}
	if err := reg.Register(c); err != nil {
		return fmt.Errorf("register the metrics of the configuration: %w", err)
	}
	return nil
}

// Describe implements prometheus.Collector.
func (c *configCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.current
	ch <- c.since
	ch <- c.info
}

// Collect implements prometheus.Collector.
func (c *configCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.state()
	ch <- prometheus.MustNewConstMetric(c.current, level, truth(s.Current))
	ch <- prometheus.MustNewConstMetric(c.since, level, float64(s.Since.UnixMilli())/1000)
	ch <- prometheus.MustNewConstMetric(c.info, level, 1, s.Hash)
}

// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A ConfigState is what is known of the configuration at one moment.
type ConfigState struct {
	Hash    string    // of the one in use
	Current bool      // the last reload succeeded, or none has happened
	Since   time.Time // that the one in use was read
}

type configCollector struct {
	state                func() ConfigState
	current, since, info *prometheus.Desc
}

// RegisterConfig registers the metrics of the configuration, which are taken by one
// call of state for each scrape.
func RegisterConfig(reg prometheus.Registerer, state func() ConfigState) error {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "config", name), help, labels, nil)
	}
	c := &configCollector{
		state:   state,
		current: desc("last_reload_successful", "1 when the last reload succeeded, and before the first; 0 while the configuration on disk is not the one in use."),
		since:   desc("last_reload_success_timestamp_seconds", "When the configuration in use was read."),
		info:    desc("info", "1, with a hash of the configuration in use as label. Machines with the same hash have the same settings; comments and secrets do not affect it.", "hash"),
	}
	if err := reg.Register(c); err != nil {
		return fmt.Errorf("register the configuration's metrics: %w", err)
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

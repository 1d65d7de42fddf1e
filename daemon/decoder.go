// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"sync"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/families"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/ynl"
)

// newDecoder returns the decoder of all sinks.
func (d *Daemon) newDecoder() *record.Decoder {
	log := ratelog.New(component(d.log, "decoder"))
	removed := specsOfRemoved(func(err error) {
		log.Warn("cannot read the specification of a family that is not configured; its events are decoded by number", "error", err)
	})
	return &record.Decoder{
		JournalID: d.journal.ID(), OriginOf: d.origins.Of,
		SpecOf: func(family string) *ynl.Spec {
			if specs := d.specs.Load(); specs.Includes(family) {
				return specs.Of(family)
			}
			return removed(family)
		},
		Undecoded: func(family string, seq uint64, fault string) {
			d.metrics.Undecoded.WithLabelValues(family).Inc()
			log.Warn("a message does not match the specification of its family; the event contains its bytes",
				"family", family, "seq", seq, "error", fault)
		},
	}
}

// specsOfRemoved returns a function that searches the specification of a family that is not
// configured: the journal may contain its events from before a restart. The function is safe
// for concurrent use.
func specsOfRemoved(report func(error)) func(family string) *ynl.Spec {
	var mu sync.Mutex
	find := families.Every(nil, report)
	return func(family string) *ynl.Spec {
		mu.Lock()
		defer mu.Unlock()
		return find(family)
	}
}

// useSpecs makes the decoder use the specifications of a configuration. Those of families
// that are not configured any more stay in use: the journal may contain their events.
func (d *Daemon) useSpecs(cfg *config.Config, specs *families.Specs) {
	d.specs.Store(specs.Extended(d.specs.Load()))
	for _, f := range cfg.Families {
		if f.Name != config.Genltest {
			d.metrics.Undecoded.WithLabelValues(f.Name) // present from the start
		}
	}
}

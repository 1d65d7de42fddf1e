// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/record"
)

// newDecoder returns the decoder of all sinks.
func (d *Daemon) newDecoder() *record.Decoder {
	log := ratelog.New(component(d.log, "decoder"))
	return &record.Decoder{
		JournalID: d.journal.ID(), OriginOf: d.origins.Of,
		Undecoded: func(family string, seq uint64, fault string) {
			d.metrics.Undecoded.WithLabelValues(family).Inc()
			log.Warn("a message does not match the specification of its family; the event contains its bytes",
				"family", family, "seq", seq, "error", fault)
		},
	}
}

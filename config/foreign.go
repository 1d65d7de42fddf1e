// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/genltestd/genltestd/config/strict"

var _ = []strict.Foreign{(*Config)(nil), (*HTTP)(nil), (*Log)(nil), (*Receiver)(nil), (*Journal)(nil), (*Sink)(nil)}

// ForeignKeys implements strict.Foreign.
func (c *Config) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "output outputs destination destinations target targets receivers exporters", Key: "sinks"},
		{Words: "logging logs logger", Key: "log"},
		{Words: "loglevel log_level verbosity debug verbose", Key: "log.level"},
		{Words: "metrics web server prometheus api", Key: "http"},
		{Words: "listen address port bind", Key: "http.listen"},
		{Words: "family protocol protocols genetlink generic_netlink inputs sources", Key: "families"},
		{Words: "netlink socket input source kernel", Key: "receiver"},
		{Words: "labels tags", Key: "event.labels"},
		{Words: "queue buffer spool storage disk", Key: "journal"},
		{Words: "health heartbeat ping healthcheck probe", Key: "echo"},
	}
}

// ForeignKeys implements strict.Foreign.
func (h *HTTP) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{{Words: "address addr port bind host listen_address", Key: "listen"}}
}

// ForeignKeys implements strict.Foreign.
func (l *Log) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "verbosity loglevel log_level severity", Key: "level"},
		{Words: "debug verbose", Key: "level", Advice: "write level: debug"},
	}
}

// ForeignKeys implements strict.Foreign.
func (r *Receiver) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{{Words: "buffer_size rcvbuf size receive_buffer recv_buffer", Key: "buffer"}}
}

// ForeignKeys implements strict.Foreign.
func (j *Journal) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "dir directory data_dir location", Key: "path"},
		{Words: "size max_size maxsize limit", Key: "max_bytes"},
		{Words: "age retention ttl", Key: "max_age"},
		{Words: "sync flush", Key: "fsync"},
	}
}

// ForeignKeys implements strict.Foreign.
func (k *Sink) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "match when condition if where query", Key: "filter"},
		{Words: "regex regexp pattern parse", Key: "extract"},
		{Words: "format codec encoding encoder serializer", Key: "envelope"},
		{Words: "body payload message", Key: "template"},
		{Words: "timeout request_timeout", Key: "attempt_timeout"},
		{Words: "retry retries backoff", Key: "retry_max"},
		{Words: "batch batch_size batchsize", Key: "batch_events"},
		{Words: "flush_interval batch_timeout linger", Key: "batch_wait"},
		{Words: "throttle ratelimit rate", Key: "rate_limit"},
		{Words: "deduplicate dedupe unique", Key: "dedup"},
		{Words: "concurrency threads parallelism", Key: "workers"},
		{Words: "dlq dead_letter deadletters", Key: "dead_letters"},
		{Words: "id title label", Key: "name"},
		{
			Words:  "enabled enable disabled disable active",
			Advice: "a sink cannot be switched off by a key; remove it, or write # before each of its lines",
		},
	}
}

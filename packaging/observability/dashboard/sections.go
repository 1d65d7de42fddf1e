// SPDX-License-Identifier: Apache-2.0

package main

// Selectors of the variables.
const (
	host     = `{instance=~"$instance"}`
	ofFamily = `{instance=~"$instance", family=~"$family"}`
	ofSink   = `{instance=~"$instance", sink=~"$sink"}`
	ofJob    = `{job="genltestd", instance=~"$instance"}`
)

// Legends.
const (
	perHost   = "{{instance}}"
	perFamily = "{{instance}} {{family}}"
	perSink   = "{{instance}} {{sink}}"
)

func rate(metric, selector string) string { return "rate(" + metric + selector + "[$__rate_interval])" }

// lastHour returns the increase of a counter in an hour, over all series.
func lastHour(metric, selector string) string {
	return "sum(increase(" + metric + selector + "[1h]))"
}

func sum(labels, expr string) string { return "sum by (" + labels + ") (" + expr + ")" }

func quantile(q string) string {
	return "histogram_quantile(" + q + ", " + sum("le, instance, sink", rate("genltestd_sink_latency_seconds_bucket", ofSink)) + ")"
}

func sections() []section {
	return []section{
		{"Is all well", overview()},
		{"Reception", reception()},
		{"Journal", journal()},
		{"Delivery", delivery()},
		{"Dead letters", deadLetters()},
		{"Process", process()},
	}
}

func overview() []chart {
	return []chart{
		number("Hosts that do not answer", "short", "Hosts whose metrics cannot be scraped.", 1,
			"count(up"+ofJob+") - sum(up"+ofJob+")"),
		number("Faults", "short", "Present faults of families, sinks, journal and state files; /readyz lists them.", 1,
			"sum(genltestd_family_fault"+host+") + sum(genltestd_sink_fault"+host+") + sum(genltestd_state_file_fault"+host+
				") + sum(1 - genltestd_journal_accepting"+host+")"),
		number("Lost in an hour", "short", "Events that were not received.", 1, lastHour("genltestd_events_lost_total", host)),
		number("Dropped in an hour", "short", "Events that a limit has removed, and dead letters that a limit has removed.", 1,
			lastHour("genltestd_sink_events_dropped_total", host)+" + "+lastHour("genltestd_sink_dead_letters_expired_total", host)),
		number("Largest lag", "s", "The longest time that a sink needs for the events that wait.", 300,
			"max(instance_sink:genltestd_sink_behind:seconds"+host+")"),
		number("Late in an hour", "percentunit", "The largest share of late events of a sink. The objective is 1 %.", 0.01,
			"max(instance_sink:genltestd_delivery_late:ratio_rate1h"+host+")"),
	}
}

func reception() []chart {
	return []chart{
		curves("Events received", "eps", "", line{sum("instance, family", rate("genltestd_events_received_total", ofFamily)), perFamily}),
		curves("Events lost", "eps", "docs/runbooks/GenltestdEventsLost.md explains the reasons.",
			line{sum("instance, family, reason", rate("genltestd_events_lost_total", ofFamily)), perFamily + " {{reason}}"}),
		curves("Families with a fault", "short", "1 while the family has the fault.",
			line{"genltestd_family_fault" + ofFamily, perFamily + " {{reason}}"}),
		curves("Messages refused", "short", "Messages per second that are not events of the family.",
			line{sum("instance, family, reason", rate("genltestd_messages_refused_total", ofFamily)), perFamily + " {{reason}}"}),
		curves("Receive buffer", "bytes", "As granted by the kernel.", line{"genltestd_receive_buffer_bytes" + ofFamily, perFamily}),
		curves("Echo checks", "ops", "Health checks of genltest, by result.",
			line{sum("instance, family, result", rate("genltestd_echo_probes_total", ofFamily)), perFamily + " {{result}}"}),
	}
}

func journal() []chart {
	return []chart{
		curves("Disk space", "bytes", "",
			line{"genltestd_journal_bytes" + host, perHost}, line{"genltestd_journal_max_bytes" + host, perHost + " limit"}),
		curves("Events not yet synced", "short", "A power cut now would lose these events. With fsync: never the number grows.",
			line{"genltestd_journal_last_number" + host + " - genltestd_journal_synced_number" + host, perHost}),
		curves("Damage", "short", "Damaged records and cursors, and segments that are missing or unreadable.",
			line{"genltestd_journal_damaged_records_total" + host, perHost + " records"},
			line{"genltestd_journal_damaged_cursors_total" + host, perHost + " cursors"},
			line{"genltestd_journal_missing_segments_total" + host, perHost + " missing"},
			line{"genltestd_journal_unreadable_segments" + host, perHost + " unreadable"}),
	}
}

func delivery() []chart {
	return []chart{
		curves("Events delivered", "eps", "", line{rate("genltestd_sink_events_delivered_total", ofSink), perSink}),
		curves("Events not delivered", "eps", "Events that rules have rejected, that a limit has dropped, or that became dead letters.",
			line{rate("genltestd_sink_events_filtered_total", ofSink), perSink + " filtered"},
			line{rate("genltestd_sink_events_suppressed_total", ofSink), perSink + " {{reason}}"},
			line{rate("genltestd_sink_events_dropped_total", ofSink), perSink + " {{reason}}"},
			line{rate("genltestd_sink_events_dead_lettered_total", ofSink), perSink + " dead-lettered"}),
		curves("Latency", "s", "From the receipt of an event until the sink has accepted it.",
			line{quantile("0.5"), perSink + " p50"}, line{quantile("0.99"), perSink + " p99"}),
		curves("Events waiting", "short", "In the journal, and handed to the sink.",
			line{"genltestd_sink_events_waiting" + ofSink + " + genltestd_sink_events_in_flight" + ofSink, perSink}),
		curves("Seconds behind", "s", "The age of the oldest event that waits.", line{"genltestd_sink_behind_seconds" + ofSink, perSink}),
		curves("Seconds to catch up", "s", "The time that the sink needs for the events that wait, at its speed of the last 5 minutes.",
			line{"instance_sink:genltestd_sink_behind:seconds" + ofSink, perSink}),
		curves("Journal held", "bytes", "Size of the journal after the position of the sink.",
			line{"genltestd_sink_lag_bytes" + ofSink, perSink}),
		curves("Failed attempts", "ops", "", line{rate("genltestd_sink_failures_total", ofSink), perSink}),
		curves("Sinks with a fault", "short", "1 while the sink has the fault.", line{"genltestd_sink_fault" + ofSink, perSink + " {{reason}}"}),
		curves("Rules that fail", "ops", "Expressions of the sink that fail; the events are delivered.",
			line{rate("genltestd_sink_rule_errors_total", ofSink), perSink}),
	}
}

func deadLetters() []chart {
	return []chart{
		curves("Stored", "short", "", line{"genltestd_sink_dead_letters" + ofSink, perSink}),
		curves("Disk space of dead letters", "bytes", "", line{"genltestd_sink_dead_letter_bytes" + ofSink, perSink}),
		curves("Refused, replayed and expired", "eps", "",
			line{rate("genltestd_sink_events_dead_lettered_total", ofSink), perSink + " refused"},
			line{rate("genltestd_sink_dead_letters_replayed_total", ofSink), perSink + " replayed"},
			line{rate("genltestd_sink_dead_letters_expired_total", ofSink), perSink + " expired"}),
	}
}

func process() []chart {
	return []chart{
		curves("Processor time", "percentunit", "1 is one processor.", line{rate("process_cpu_seconds_total", ofJob), perHost}),
		curves("Memory", "bytes", "", line{"process_resident_memory_bytes" + ofJob, perHost}),
		curves("File descriptors", "short", "", line{"process_open_fds" + ofJob, perHost}, line{"process_max_fds" + ofJob, perHost + " limit"}),
		curves("Running since", "s", "Time since the start.", line{"time() - process_start_time_seconds" + ofJob, perHost}),
		curves("Configuration in use", "short", "1 while the configuration on disk is in use.",
			line{"genltestd_config_last_reload_successful" + host, perHost}),
		curves("Listeners", "short", "1 while the listener accepts connections.", line{"genltestd_listening" + host, perHost + " {{listener}}"}),
	}
}

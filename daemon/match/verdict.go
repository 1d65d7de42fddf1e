// SPDX-License-Identifier: Apache-2.0

package match

// A Verdict is the outcome of the rules for one event.
type Verdict uint8

const (
	// Pass means that the event is delivered.
	Pass Verdict = iota
	// Filtered means that the event does not pass the filter.
	Filtered
	// SampledOut means that the event is not in the sample. It is suppressed, like the
	// verdicts below: the event passes the filter, and a summary reports the number of
	// such events.
	SampledOut
	// Repeated means that an event with the same key passed within the window.
	Repeated
	// RateLimited means that the event exceeds the rate limit.
	RateLimited
)

// reasons are the names of the verdicts in metrics and summaries.
var reasons = [...]string{SampledOut: "sample", Repeated: "dedup", RateLimited: "rate_limit"}

// Reasons returns every reason for which an event can be suppressed: a closed list in
// the order of the verdicts.
func Reasons() []string { return append([]string(nil), reasons[SampledOut:]...) }

// Suppressed reports whether the event counts as suppressed.
func (v Verdict) Suppressed() bool { return v >= SampledOut }

// Reason returns one of Reasons, or "" for a verdict that is not suppressed.
func (v Verdict) Reason() string { return reasons[v] }

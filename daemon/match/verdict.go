// SPDX-License-Identifier: Apache-2.0

package match

// A Verdict is what becomes of one event.
type Verdict uint8

const (
	// Pass is for the sink.
	Pass Verdict = iota
	// Filtered is what the filter does not ask for.
	Filtered
	// SampledOut is none of the sample. It is suppressed, as are those below: the
	// filter asks for them, and a summary tells the sink how many there were.
	SampledOut
	// Repeated has passed within the window of deduplication.
	Repeated
	// RateLimited is more than the rate limit lets pass.
	RateLimited
)

// reasons name what is suppressed, in metrics and in summaries.
var reasons = [...]string{SampledOut: "sample", Repeated: "dedup", RateLimited: "rate_limit"}

// Reasons returns every reason for which an event can be suppressed: a closed list,
// in the order of the verdicts.
func Reasons() []string { return append([]string(nil), reasons[SampledOut:]...) }

// Suppressed reports whether the event counts as suppressed.
func (v Verdict) Suppressed() bool { return v >= SampledOut }

// Reason is one of Reasons; empty for what is not suppressed.
func (v Verdict) Reason() string { return reasons[v] }

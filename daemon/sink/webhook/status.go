// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"net/http"
	"slices"

	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// A verdict is the meaning of a status for the events of the request.
type verdict string

const (
	taken     verdict = "taken"
	retry     verdict = "retry"
	permanent verdict = "dead letter"
)

// statuses is the whole policy. docs/sinks/webhook.md shows it, and a test compares the
// two. The first row that contains a status decides; the last contains all.
//
// A status about these particular events is permanent. A status about configuration,
// authorization or the other side's state is not: a token that has expired for a night
// must not lose the events of that night.
var statuses = []struct {
	from, to int
	verdict  verdict
	why      string
}{
	{200, 299, taken, "includes 202 and 207: the receiver is then responsible for the events"},
	{300, 399, retry, "redirects are not followed: they would send events and tokens to a server that is not configured"},
	{400, 400, permanent, "the receiver cannot parse these events, now or later. " +
		"If the text is about TLS, as from nginx when the client certificate is wrong, the request is retried"},
	{401, 401, retry, "the token or password is wrong or has expired; events wait until it is correct"},
	{402, 402, retry, "concerns the account, not the event"},
	{403, 403, retry, "as 401"},
	{404, 404, retry, "the URL is wrong, or the receiver is not deployed yet"},
	{405, 405, retry, "`method` is wrong"},
	{406, 407, retry, "configuration of the receiver or the proxy"},
	{408, 408, retry, "the receiver timed out"},
	{409, 409, retry, "usually the receiver still processes the first attempt. " +
		"If your receiver answers 409 for events that it already has, set `taken: [409]`"},
	{410, 410, retry, "the URL no longer exists; events wait for a new URL"},
	{411, 412, retry, "the proxy or server does not support these requests"},
	{413, 413, permanent, "too large; a batch is halved until it fits. With `Retry-After` the request is retried"},
	{414, 414, retry, "the URL is wrong"},
	{415, 415, retry, "`Content-Type` or `compression` is wrong, for all events alike"},
	{416, 421, retry, "421: a new connection may help; the others do not answer this request"},
	{422, 422, permanent, "the receiver has parsed these events and refuses their content"},
	{423, 428, retry, "a temporary state of the receiver"},
	{429, 429, retry, "too many requests; `Retry-After` is respected"},
	{431, 499, retry, "431 concerns configured headers; the others are unknown, and in doubt events are kept"},
	{500, 599, retry, "a fault of the receiver; `Retry-After` is respected"},
	{0, 999, retry, "no status of HTTP"},
}

// evaluate returns the verdict on a status, the user's lists first.
func (w *Config) evaluate(status int) verdict {
	switch {
	case slices.Contains(w.Taken, status):
		return taken
	case slices.Contains(w.Retry, status):
		return retry
	case slices.Contains(w.Permanent, status):
		return permanent
	}
	for _, row := range statuses {
		if row.from <= status && status <= row.to {
			return row.verdict
		}
	}
	return retry
}

// answer returns the verdict on a response.
func (w *Config) answer(status int, h http.Header, text []byte) verdict {
	v := w.evaluate(status)
	if v == permanent && httpclient.Passes(status, h, text) && !slices.Contains(w.Permanent, status) {
		return retry
	}
	return v
}

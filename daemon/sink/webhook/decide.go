// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"net/http"

	"github.com/genltestd/genltestd/daemon/match"
)

// maxJudged is the number of bytes of a response that an expression can use. Bulk
// interfaces answer with some hundred bytes per event.
const maxJudged = 1 << 20

// decided returns the verdict on a response, and the reason of the expression if it
// changes the verdict of the status. A word decides for every status. A condition applies
// to a status that means taken: if it is false or cannot be evaluated, the verdict is
// retry.
func (s *Sink) decided(resp *http.Response, text []byte) (v verdict, how string) {
	v = s.config.answer(resp.StatusCode, resp.Header, text)
	if s.decide == nil {
		return v, ""
	}
	value, err := s.decide.Evaluate(resp.StatusCode, resp.Header, text, len(text) == len(s.response))
	switch value {
	case match.ResponseTaken:
		return taken, ""
	case match.ResponseRetry:
		return retry, "response returns retry"
	case match.ResponsePermanent:
		return permanent, "response returns permanent"
	case true:
		return v, ""
	}
	switch {
	case v != taken:
		return v, ""
	case err != nil:
		return retry, "response: " + err.Error()
	}
	return retry, "response returns false"
}

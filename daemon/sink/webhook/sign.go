// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A signingKey creates signatures of the scheme v1 of Standard Webhooks:
// https://www.standardwebhooks.com.
type signingKey []byte

// parseKey parses a secret in its displayed form: whsec_ and base64. Its errors contain no
// part of it.
func parseKey(secret string) (signingKey, error) {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return nil, errors.New("does not begin with whsec_")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("is not base64 behind whsec_")
	}
	// The specification requires 24 to 64 bytes. Longer keys are not weaker.
	if len(key) < 24 {
		return nil, errors.New("has less than the 24 bytes that the specification asks for")
	}
	return key, nil
}

func (k signingKey) sign(id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signature sets the three headers. Each key creates its own signature, so that a receiver
// may know the old or the new key during a rotation.
func signature(h http.Header, keys []signingKey, id string, now time.Time, body []byte) {
	if len(keys) == 0 {
		return
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, len(keys))
	for i, key := range keys {
		signatures[i] = key.sign(id, timestamp, body)
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", timestamp)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}

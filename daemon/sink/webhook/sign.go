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

// A signingKey makes signatures of the scheme v1 of Standard Webhooks:
// https://www.standardwebhooks.com.
type signingKey []byte

// parseKey reads a secret as it is shown to users: whsec_ and base64. No error has
// a part of it.
func parseKey(secret string) (signingKey, error) {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return nil, errors.New("does not begin with whsec_")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("is not base64 behind whsec_")
	}
	// The specification wants 24 to 64 bytes. Longer ones are no weaker.
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

// signature sets the three headers. Each key makes a signature of its own, so that
// a receiver may know the old or the new one while a key is replaced.
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

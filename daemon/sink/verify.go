// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/secret"
)

// Fault returns err as the fault of a key, such as "webhook.url"; nil if err is nil.
func Fault(key string, err error) error {
	if err == nil {
		return nil
	}
	return &OptionError{Key: key, Err: err}
}

// VerifySecret returns the fault of the key of a secret: it cannot be read, or parse returns an
// error. It calls parse, unless it is nil, with the secret if it can be read and is not empty.
// The error wraps that of secret.Check.
func VerifySecret(key string, s value.Secret, parse func(text string) error) error {
	text, err := secret.Check(s)
	if text != "" && parse != nil {
		err = parse(text)
	}
	return Fault(key, err)
}

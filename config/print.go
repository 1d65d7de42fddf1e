// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/genltestd/genltestd/config/strict"
)

// Print writes the configuration as a file that means the same, with every key and its
// value. It shows no secret: for a secret in a file of the configuration itself it writes
// <secret>, which Parse rejects; the places of the others are not secret.
func (c *Config) Print(w io.Writer) error {
	_, err := w.Write(strict.Print(c))
	return err
}

// Hash returns 16 hexadecimal digits of a hash of the output of Print: files with the same
// meaning have the same hash. It contains no information about a secret, so it does not
// change with a secret.
func (c *Config) Hash() string {
	sum := sha256.Sum256(strict.Print(c))
	return hex.EncodeToString(sum[:8])
}

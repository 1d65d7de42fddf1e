// SPDX-License-Identifier: Apache-2.0

package value

import "regexp"

// headerName is a token of RFC 9110.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

const maxHeaderName = 100 // bytes

// IsHeaderName reports whether a text is a valid name of a header, of at most 100 bytes.
func IsHeaderName(name string) bool {
	return len(name) <= maxHeaderName && headerName.MatchString(name)
}

// SPDX-License-Identifier: Apache-2.0

package value

import (
	"fmt"
	"io/fs"
	"strconv"

	"github.com/genltestd/genltestd/config/strict"
)

// FileMode is the permission bits of a file, written as "0640".
type FileMode fs.FileMode

// UnmarshalText accepts octal digits, whether YAML reads them as a number or as a text.
func (m *FileMode) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := strconv.ParseUint(s, 8, 32)
	if err != nil || len(s) < 3 || len(s) > 4 || v > 0o777 {
		return fmt.Errorf("%s is not a file mode; write three octal digits after a 0, like 0640", strict.Quote(s))
	}
	*m = FileMode(v)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (m FileMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String returns four octal digits.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// Describe implements strict.Described. A number may be the digits as YAML 1.1 reads them,
// or as YAML 1.2 reads them.
func (FileMode) Describe() strict.Description {
	return strict.Description{Type: "file mode", Unit: "octal digits", Schema: map[string]any{
		"type": []string{"string", "integer"}, "minimum": 0, "maximum": 777,
		"pattern":             "^0?[0-7]{3}$",
		"patternErrorMessage": "Write three octal digits after a 0, like 0640.",
	}}
}

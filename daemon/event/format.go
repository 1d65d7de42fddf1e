// SPDX-License-Identifier: Apache-2.0

package event

import "net/netip"

// A Format is the form in which bytes are shown.
type Format uint8

// The forms of bytes. Bytes of a length that does not fit the form are shown as Hex.
const (
	Hex     Format = iota // hexadecimal digits, such as 0a1b
	MAC                   // an address of any length, such as 0a:1b:2c:3d:4e:5f
	Address               // an IPv4 or IPv6 address, by its length
	UUID                  // 16 bytes, such as 123e4567-e89b-12d3-a456-426614174000
)

func (f Format) append(dst, data []byte) []byte {
	switch {
	case f == MAC:
		return appendHex(dst, data, ':', func(int) bool { return true })
	case f == Address && (len(data) == 4 || len(data) == 16):
		address, _ := netip.AddrFromSlice(data)
		return address.AppendTo(dst)
	case f == UUID && len(data) == 16:
		return appendHex(dst, data, '-', func(i int) bool { return i == 4 || i == 6 || i == 8 || i == 10 })
	}
	return appendHex(dst, data, 0, func(int) bool { return false })
}

// appendHex writes a separator before each byte that begins a group.
func appendHex(dst, data []byte, separator byte, begins func(i int) bool) []byte {
	for i, c := range data {
		if i > 0 && begins(i) {
			dst = append(dst, separator)
		}
		dst = append(dst, hex[c>>4], hex[c&0xf])
	}
	return dst
}

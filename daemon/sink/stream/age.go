// SPDX-License-Identifier: Apache-2.0

package stream

// NoConnectionAge returns why the key max_connection_age is not used with a scheme: it is for
// connections to a host.
func NoConnectionAge(scheme string) string {
	return "with " + scheme + ", which does not have a connection to a host; " +
		"leave it out, or write an address that begins with tcp:// or tls://"
}

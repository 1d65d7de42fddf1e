// SPDX-License-Identifier: Apache-2.0

// Package value contains the types of values that several parts of the configuration
// share. Each type is used for decoding, for the schema and by the code that needs the
// value.
package value

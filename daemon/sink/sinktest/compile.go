// SPDX-License-Identifier: Apache-2.0

package sinktest

import (
	"github.com/genltestd/genltestd/daemon/envelope"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Compile implements sink.Env.Compile.
func Compile(t sink.Template) (event.Encoder, error) {
	return envelope.NewName(envelope.Name{Text: t.Text, Replace: t.Replace, Accept: t.Accept})
}

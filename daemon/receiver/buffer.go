// SPDX-License-Identifier: Apache-2.0

package receiver

import "github.com/genltestd/genltestd/daemon/genl"

// SetBuffer changes Options.BufferBytes, for the present socket and those to come. It
// may be called at any time. After an error, which is the socket's, all is as before.
func (r *Receiver) SetBuffer(bytes int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.BufferBytes
	r.BufferBytes = bytes
	if r.socket == nil {
		return nil // Run opens one
	}
	report, err := r.socket.SetBuffer(bytes)
	if err != nil {
		r.BufferBytes = before
		return err
	}
	r.reportBuffer(report)
	return nil
}

func (r *Receiver) bufferBytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.BufferBytes
}

// granted says how large the receive buffer is now. The caller holds mu.
func (r *Receiver) reportBuffer(report genl.SocketReport) {
	r.Metrics.ReceiveBuffer.Set(float64(report.BufferBytes))
	if report.Limited != nil {
		r.Log.Warn("the kernel granted a smaller receive buffer: bursts are lost sooner; give the daemon CAP_NET_ADMIN or raise net.core.rmem_max",
			"asked_bytes", 2*r.BufferBytes, "granted_bytes", report.BufferBytes, "error", report.Limited)
	}
}

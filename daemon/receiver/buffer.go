// SPDX-License-Identifier: Apache-2.0

package receiver

import "github.com/genltestd/genltestd/daemon/genl"

// SetBuffer changes Options.BufferBytes for the current socket and for later ones. It
// may be called at any time. If the socket returns an error, nothing changes.
func (r *Receiver) SetBuffer(bytes int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.BufferBytes
	r.BufferBytes = bytes
	if r.socket == nil {
		return nil // Run opens one with the new size
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

// reportBuffer publishes the size of the receive buffer. The caller holds mu.
func (r *Receiver) reportBuffer(report genl.SocketReport) {
	r.Metrics.ReceiveBuffer.Set(float64(report.BufferBytes))
	r.Metrics.BufferLimited.Set(0)
	if report.Limited != nil {
		r.Metrics.BufferLimited.Set(1)
		r.limits.Warn("the kernel granted a smaller receive buffer, so bursts overflow it sooner; "+
			"grant CAP_NET_ADMIN to the daemon or increase net.core.rmem_max",
			"asked_bytes", 2*r.BufferBytes, "granted_bytes", report.BufferBytes, "error", report.Limited)
	}
}

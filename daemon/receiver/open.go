// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
)

// open opens the socket. It returns true if the ledger has counted this socket's
// messages before.
func (r *Receiver) open() (continues bool, err error) {
	asked := r.bufferBytes()
	socket, report, err := r.Kernel.Open(r.target(), asked, r.batch)
	if err != nil {
		return false, err
	}
	cookie, err := socket.Cookie()
	var drops, notifications uint32
	if err == nil {
		drops, err = socket.Drops()
	}
	if err == nil {
		notifications, err = socket.Notifications()
	}
	if err != nil {
		return false, errors.Join(err, socket.Close())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if asked != r.BufferBytes { // changed meanwhile
		if report, err = socket.SetBuffer(r.BufferBytes); err != nil {
			return false, errors.Join(err, socket.Close())
		}
	}
	r.reportBuffer(report)
	r.socket = socket
	if continues = cookie == r.ledger.Socket; !continues {
		r.confirmUnclassified()
		r.ledger.Socket, r.ledger.Drops, r.ledger.NotificationsSeen = cookie, uint64(drops), uint64(notifications)
	}
	return continues, nil
}

// confirmUnclassified counts the unclassified drops of a closed socket as events, because they
// cannot be identified any more. The caller holds mu.
func (r *Receiver) confirmUnclassified() {
	r.lost[kernelBuffer].Add(float64(r.ledger.confirm(r.ledger.UnclassifiedDrops, r.Now())))
	r.unsaved = true
}

// close counts the drops of the socket and closes it.
func (r *Receiver) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.socket == nil {
		return nil
	}
	err := r.countDrops(r.Now())
	if r.Subscribed() {
		r.ledger.setCovered(r.Now())
	}
	r.unsaved = true
	r.saveIfIdle()
	err = errors.Join(err, r.socket.Close())
	r.socket = nil
	r.publish(0)
	return err
}

// start opens a socket and subscribes.
func (r *Receiver) start() error {
	continues, err := r.open()
	if err != nil {
		return err
	}
	// The socket is open at this point, because its counter may explain missing events.
	r.collectOnce()
	if err := r.subscribe(continues); err != nil {
		return errors.Join(err, r.close())
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
)

// open gets the socket. goesOn says that it is the one that the ledger knows.
func (r *Receiver) open() (goesOn bool, err error) {
	asked := r.bufferBytes()
	socket, report, err := r.Kernel.Open(asked, r.batch)
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
	if asked != r.BufferBytes { // meanwhile
		if report, err = socket.SetBuffer(r.BufferBytes); err != nil {
			return false, errors.Join(err, socket.Close())
		}
	}
	r.granted(report)
	r.socket = socket
	if goesOn = cookie == r.ledger.Socket; !goesOn {
		// Of what the old one dropped nobody can learn any more what it was.
		r.lost[kernelBuffer].Add(float64(r.ledger.sure(r.ledger.Unsure, r.Now())))
		r.ledger.Socket, r.ledger.Drops, r.ledger.Heard = cookie, uint64(drops), uint64(notifications)
		r.unsaved = true
	}
	return goesOn, nil
}

// close counts what the socket dropped before it forgets it.
func (r *Receiver) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.countDrops(r.Now())
	if r.Subscribed() {
		r.ledger.watched(r.Now())
	}
	r.unsaved = true
	r.save()
	err = errors.Join(err, r.socket.Close())
	r.socket = nil
	r.publish(0)
	return err
}

func (r *Receiver) reopen() error {
	goesOn, err := r.open()
	if err != nil {
		return err
	}
	if err := r.subscribe(goesOn); err != nil {
		return errors.Join(err, r.close())
	}
	return nil
}

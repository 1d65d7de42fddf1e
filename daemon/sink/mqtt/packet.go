// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/packets"
)

// maxIncoming is the Maximum Packet Size that the sink announces. A broker sends it no messages,
// so every packet is short.
const maxIncoming = 64 << 10

// readPacket reads one packet. It verifies the length before the library allocates memory for it.
func readPacket(r *bufio.Reader) (*packets.ControlPacket, error) {
	n, err := peekLength(r)
	if err != nil {
		return nil, err
	}
	if n > maxIncoming {
		return nil, fmt.Errorf("the broker sent a packet of %d bytes, and the limit is %d", n, maxIncoming)
	}
	return packets.ReadPacket(r)
}

// peekLength returns the remaining length of the next packet, which follows its first byte in
// one to four bytes of 7 bits, and reads nothing.
func peekLength(r *bufio.Reader) (n int, err error) {
	for i := range 4 {
		b, err := r.Peek(2 + i)
		if err != nil {
			return 0, err
		}
		n |= int(b[1+i]&0x7f) << (7 * i)
		if b[1+i]&0x80 == 0 {
			return n, nil
		}
	}
	return 0, errors.New("the broker sent an invalid length; this is not MQTT")
}

// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"math"

	"github.com/eclipse/paho.golang/packets"
)

// limits are those of the broker, from its CONNACK.
type limits struct {
	receiveMaximum uint16
	packet         int
	aliases        uint16
	qos            byte
	retain         bool
}

func limitsOf(p *packets.Properties) limits {
	l := limits{receiveMaximum: math.MaxUint16, packet: maxPacket, qos: 2, retain: true}
	if p.ReceiveMaximum != nil && *p.ReceiveMaximum > 0 {
		l.receiveMaximum = *p.ReceiveMaximum
	}
	if p.MaximumPacketSize != nil && *p.MaximumPacketSize > 0 {
		l.packet = int(min(*p.MaximumPacketSize, maxPacket))
	}
	if p.TopicAliasMaximum != nil {
		l.aliases = *p.TopicAliasMaximum
	}
	if p.MaximumQOS != nil {
		l.qos = *p.MaximumQOS
	}
	l.retain = p.RetainAvailable == nil || *p.RetainAvailable != 0
	return l
}

// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Gap is a journal record about events that were multicast and not received. Most of its
// fields are those of event.Gap.
type Gap struct {
	Count    uint64
	Reason   string
	From, To time.Time
	LoadID   uint64
	First    uint64
	Last     uint64
	Family   string // empty means genltest
}

// A gap is encoded as a netlink message, like the events in the journal. The kernel
// never sends this type; it means that data was lost.
const gapType = unix.NLMSG_OVERRUN

const (
	gapCount = iota + 1
	gapLoadID
	gapFirst
	gapLast
	gapFrom
	gapTo
	gapReason
	gapFamily
)

var gapNumbers = [...]uint16{gapCount, gapLoadID, gapFirst, gapLast, gapFrom, gapTo}

// AppendGap appends the encoded gap to b.
func AppendGap(b []byte, g *Gap) []byte {
	start := len(b)
	b = append(b, make([]byte, nlmsgHeaderLen)...)
	for i, v := range [...]uint64{
		g.Count, g.LoadID, g.First, g.Last, uint64(g.From.UnixNano()), uint64(g.To.UnixNano()),
	} {
		b = appendAttribute(b, gapNumbers[i], binary.NativeEndian.AppendUint64(nil, v))
	}
	b = appendAttribute(b, gapReason, g.Reason)
	if g.Family != "" {
		b = appendAttribute(b, gapFamily, g.Family)
	}
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	binary.NativeEndian.PutUint16(b[start+4:], gapType)
	return b
}

func appendAttribute[T string | []byte](b []byte, kind uint16, value T) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(attrHeaderLen+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&(unix.NLA_ALIGNTO-1))...)
}

// IsGap reports whether a journal record is a gap.
func IsGap(data []byte) bool {
	return len(data) >= nlmsgHeaderLen && binary.NativeEndian.Uint16(data[4:]) == gapType
}

// DecodeGap decodes a record for which IsGap returned true.
func DecodeGap(data []byte) (g Gap, err error) {
	if len(data) < nlmsgHeaderLen {
		return Gap{}, errShort
	}
	ad, err := netlink.NewAttributeDecoder(data[nlmsgHeaderLen:])
	if err != nil {
		return Gap{}, fmt.Errorf("gap: %w", err)
	}
	for ad.Next() {
		switch ad.Type() {
		case gapReason:
			g.Reason = string(ad.Bytes())
		case gapFamily:
			g.Family = string(ad.Bytes())
		case gapCount:
			g.Count = ad.Uint64()
		case gapLoadID:
			g.LoadID = ad.Uint64()
		case gapFirst:
			g.First = ad.Uint64()
		case gapLast:
			g.Last = ad.Uint64()
		case gapFrom:
			g.From = time.Unix(0, int64(ad.Uint64()))
		case gapTo:
			g.To = time.Unix(0, int64(ad.Uint64()))
		}
	}
	if err := ad.Err(); err != nil {
		return Gap{}, fmt.Errorf("gap: %w", err)
	}
	if g.Reason == "" {
		return Gap{}, errNoReason
	}
	return g, nil
}

var errNoReason = errors.New("gap: the reason is missing")

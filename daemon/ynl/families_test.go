// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Messages of families that no machine for tests multicasts, as the kernel's source builds
// them.
func TestMessagesOfEmbeddedSpecifications(t *testing.T) {
	netdevsim := concat(nla(1, str("netdevsim")), nla(2, str("netdevsim1")))
	for _, c := range []struct {
		family, command string
		message         []byte
		want            string
	}{
		{
			"devlink", "health-reporter-recover",
			payload(54, netdevsim, nla(114|isNested, nla(115, str("dummy")), nla(116, u8(1)), nla(117, u64(3)), nla(61),
				nla(118, u64(2)), nla(120, u64(500)), nla(121, u8(1)), nla(137, u64(1700000000000000000)), nla(141, u8(1)))),
			`{"bus-name":"netdevsim","dev-name":"netdevsim1","health-reporter":{"health-reporter-name":"dummy",` +
				`"health-reporter-state":"error","health-reporter-err-count":3,"health-reporter-recover-count":2,` +
				`"health-reporter-graceful-period":500,"health-reporter-auto-recover":1,` +
				`"health-reporter-dump-ts-ns":"1700000000000000000","health-reporter-auto-dump":1}}`,
		},
		{
			"devlink", "param-new",
			payload(40, netdevsim, nla(80|isNested, nla(81, str("max_macs")), nla(82), nla(83, u8(3)),
				nla(84|isNested, nla(85|isNested, nla(86, u32(32)), nla(87, u8(1)))))),
			`{"bus-name":"netdevsim","dev-name":"netdevsim1","param":{"param-name":"max_macs","param-generic":true,` +
				`"param-type":"u32","param-values-list":{"param-value":[{"param-value-data":32,"param-value-cmode":"driverinit"}]}}}`,
		},
		{
			"devlink", "port-new",
			payload(7, netdevsim, nla(3, u32(0)), nla(4, u16(2)), nla(77, u16(7)),
				nla(145|isNested, nla(1, []byte{2, 0, 0, 0, 0, 9}), nla(2, u8(1)))),
			`{"bus-name":"netdevsim","dev-name":"netdevsim1","port-index":0,"port-type":"eth","port-flavour":"pci-sf",` +
				`"port-function":{"hw-addr":"02:00:00:00:00:09","state":"active"}}`,
		},
		{
			"acpi_event", "event",
			payload(1, nla(1, []byte("button/power"), make([]byte, 8), []byte("PBTN"), make([]byte, 12), u32(0x80), u32(1))),
			`{"event":{"device-class":"button/power","bus-id":"PBTN","type":128,"data":1}}`,
		},
		{
			"thermal", "tz-trip-up",
			payload(5, nla(2, u32(1)), nla(5, u32(0)), nla(3, u32(0xffffd8f0))),
			`{"tz-id":1,"tz-trip-id":0,"tz-temp":-10000}`,
		},
		{
			"thermal", "cpu-capability-change",
			payload(14, nla(20|isNested, nla(21, u32(0)), nla(22, u32(1024)), nla(23, u32(512)),
				nla(21, u32(1)), nla(22, u32(800)), nla(23, u32(1)))),
			`{"cpu-capability":{"cpu-capability-id":[0,1],"cpu-capability-performance":[1024,800],"cpu-capability-efficiency":[512,1]}}`,
		},
		{
			"ethtool", "cable-test-ntf",
			payload(27, deviceHeader("eth0"), nla(2, u8(2)), nla(3|isNested, nla(1|isNested, nla(1, u8(0)), nla(2, u8(1))),
				nla(1|isNested, nla(1, u8(1)), nla(2, u8(2))), nla(2|isNested, nla(1, u8(1)), nla(2, u32(1500))))),
			`{"header":{"dev-name":"eth0"},"status":"completed","nest":{"result":[{"pair":"a","code":"ok"},{"pair":"b","code":"open"}],` +
				`"fault-length":[{"pair":"b","cm":1500}]}}`,
		},
		{
			"genltest", "event",
			payload(1, nla(1, str("hello\n")), nla(3, u64(7)), nla(2), nla(4, u64(1700000000000000000)), nla(5, u64(1<<63))),
			`{"msg":"hello\n","seq":7,"time":"1700000000000000000","load-id":"9223372036854775808"}`,
		},
	} {
		t.Run(c.family+" "+c.command, func(t *testing.T) {
			spec, err := Embedded(c.family)
			if err != nil {
				t.Fatal(err)
			}
			var d Decoder
			m, err := d.Decode(spec, c.message)
			if diff := cmp.Diff(c.want, string(m.Attributes.AppendJSON(nil))); diff != "" || err != nil || m.Command != c.command {
				t.Errorf("command %s, error %v, JSON (-want +got)\n%s", m.Command, err, diff)
			}
		})
	}
}

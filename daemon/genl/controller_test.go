// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/internal/kernelmsg"
)

var record = flag.Bool("record", false, "record the replies of this machine's nlctrl in testdata")

const recordings = "testdata/nlctrl"

// policyFile returns the recording of a family's policies.
func policyFile(family string) string { return filepath.Join(recordings, "policies-"+family) }

// TestRecord records the replies of the running kernel.
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("run with -record")
	}
	c := openController(t)
	families, err := c.Families(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write := func(file string, command uint8, request []byte) {
		replies, err := c.dump(t.Context(), command, request)
		if err != nil {
			t.Logf("%s: %v", file, err)
			return
		}
		var all []byte
		for _, reply := range replies {
			all = append(all, kernelmsg.Message(controllerID, command, 2, reply)...)
		}
		if err := os.WriteFile(file, all, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(recordings, 0o755); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(recordings, "families"), unix.CTRL_CMD_GETFAMILY, nil)
	for _, f := range families {
		id := kernelmsg.Attr(unix.CTRL_ATTR_FAMILY_ID, []byte{byte(f.ID), byte(f.ID >> 8)})
		write(policyFile(f.Name), unix.CTRL_CMD_GETPOLICY, id)
	}
}

func openController(t *testing.T) *Controller {
	t.Helper()
	c, err := OpenController()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A nlctrl answers requests with recorded replies, or with an error.
type nlctrl struct {
	families map[uint16]string // by id
	fault    error
	asked    []genetlink.Message
	deadline time.Time
	closed   bool
}

func (n *nlctrl) SetDeadline(t time.Time) error { n.deadline = t; return nil }
func (n *nlctrl) Close() error                  { n.closed = true; return nil }

func (n *nlctrl) Execute(m genetlink.Message, family uint16, flags netlink.HeaderFlags) ([]genetlink.Message, error) {
	if family != unix.GENL_ID_CTRL || flags != netlink.Request|netlink.Dump {
		return nil, fmt.Errorf("a request to %d with flags %v", family, flags)
	}
	n.asked = append(n.asked, m)
	if n.fault != nil {
		return nil, n.fault
	}
	file := filepath.Join(recordings, "families")
	if m.Header.Command == unix.CTRL_CMD_GETPOLICY {
		file = policyFile(n.families[uint16(m.Data[4])])
	}
	recording, err := os.ReadFile(file)
	var replies []genetlink.Message
	for _, attrs := range kernelmsg.Attributes(recording) {
		replies = append(replies, genetlink.Message{Data: attrs})
	}
	return replies, err
}

// recorded returns the families of the recording, by name.
func recorded(t *testing.T) map[string]FamilyInfo {
	t.Helper()
	families, err := (&Controller{&nlctrl{}}).Families(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]FamilyInfo)
	for _, f := range families {
		byName[f.Name] = f
	}
	return byName
}

// recordedPolicies returns the recorded policies of a family.
func recordedPolicies(t *testing.T, family string) Policies {
	t.Helper()
	f := recorded(t)[family]
	p, err := (&Controller{&nlctrl{families: map[uint16]string{f.ID: family}}}).Policies(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFamiliesFromRecording(t *testing.T) {
	families := recorded(t)
	want := map[string]FamilyInfo{
		"nlctrl": {
			Name: "nlctrl", ID: 16, Version: 2,
			Operations: []Operation{{3, CanDo | CanDump | HasPolicy}, {10, CanDump | HasPolicy}},
			Groups:     []Group{{"notify", 16}},
		},
		"acpi_event": {Name: "acpi_event", ID: 26, Version: 1, MaxAttr: 1, Groups: []Group{{"acpi_mc_group", 7}}},
	}
	for name, f := range want {
		if diff := cmp.Diff(f, families[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if len(families) != 15 {
		t.Errorf("%d families", len(families))
	}
}

func TestPoliciesFromRecording(t *testing.T) {
	name := uint32(15)
	want := Policies{
		Operations: []OperationPolicy{{ID: 3, Do: 0, Dump: 0}, {ID: 10, Do: NoPolicy, Dump: 1}},
		List: []Policy{
			{
				{Number: 1, Type: unix.NL_ATTR_TYPE_U16, Nested: NoPolicy},
				{Number: 2, Type: unix.NL_ATTR_TYPE_NUL_STRING, MaxLen: &name, Nested: NoPolicy},
			},
			{
				{Number: 1, Type: unix.NL_ATTR_TYPE_U16, Nested: NoPolicy},
				{Number: 2, Type: unix.NL_ATTR_TYPE_NUL_STRING, MaxLen: &name, Nested: NoPolicy},
				{Number: 10, Type: unix.NL_ATTR_TYPE_U32, Nested: NoPolicy},
			},
		},
	}
	if diff := cmp.Diff(want, recordedPolicies(t, "nlctrl"), cmp.AllowUnexported(Limit{})); diff != "" {
		t.Errorf("policies of nlctrl (-want +got):\n%s", diff)
	}
}

// On the running kernel, the families nlctrl and ethtool are always registered.
func TestFamiliesOfRunningKernel(t *testing.T) {
	c := openController(t)
	families, err := c.Families(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]string{"nlctrl": "notify", "ethtool": "monitor"}
	for _, f := range families {
		if want, ok := groups[f.Name]; ok && !slices.ContainsFunc(f.Groups, func(g Group) bool { return g.Name == want && g.ID != 0 }) {
			t.Errorf("%s lacks the group %s: %+v", f.Name, want, f.Groups)
		}
		delete(groups, f.Name)
		if len(f.Operations) == 0 {
			continue
		}
		policies, err := c.Policies(t.Context(), f)
		if errors.Is(err, ErrNoIntrospection) {
			t.Skip(err)
		}
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if f.Name == "nlctrl" && (len(policies.List) == 0 || policies.List[0][0].Type.String() != "u16") {
			t.Errorf("policies of nlctrl: %+v", policies)
		}
	}
	if len(groups) > 0 {
		t.Errorf("not registered: %v", groups)
	}
	if _, err := c.Policies(t.Context(), FamilyInfo{ID: 0xffff}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("policies of an unregistered family: %v", err)
	}
}

func TestRequestsDoNotLoadModules(t *testing.T) {
	n := &nlctrl{}
	if _, err := (&Controller{n}).Families(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(n.asked) != 1 || len(n.asked[0].Data) != 0 {
		t.Errorf("requests with attributes, which can load a module: %+v", n.asked)
	}
	if left := time.Until(n.deadline); left <= 0 || left > resolveTimeout {
		t.Errorf("the deadline is in %s", left)
	}
}

func TestErrorsOfNlctrl(t *testing.T) {
	for fault, want := range map[error]error{
		unix.EOPNOTSUPP: ErrNoIntrospection,
		unix.ENOENT:     os.ErrNotExist,
		unix.EPERM:      os.ErrPermission,
		unix.ENODATA:    nil,
	} {
		p, err := (&Controller{&nlctrl{fault: &netlink.OpError{Op: "receive", Err: fault}}}).Policies(t.Context(), FamilyInfo{ID: 20})
		if !errors.Is(err, want) || len(p.List) != 0 {
			t.Errorf("%v: %+v, %v, want %v", fault, p, err, want)
		}
	}
	c := Controller{&nlctrl{fault: &netlink.OpError{Op: "receive", Err: unix.EPERM}}}
	if _, err := c.Families(t.Context()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("families: %v", err)
	}
}

// A silentConn does not answer until its deadline passes.
type silentConn struct{ passed chan struct{} }

func (c *silentConn) SetDeadline(t time.Time) error {
	if t.Before(time.Now()) {
		close(c.passed)
	}
	return nil
}

func (c *silentConn) Execute(genetlink.Message, uint16, netlink.HeaderFlags) ([]genetlink.Message, error) {
	<-c.passed
	return nil, os.ErrDeadlineExceeded
}

func (c *silentConn) Close() error { return nil }

func TestContextEndsRequest(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := (&Controller{&silentConn{make(chan struct{})}}).Families(ctx); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
}

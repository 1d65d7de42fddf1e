// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/kernelmsg"
)

var update = flag.Bool("update", false, "write the golden files again")

// A recording answers with the recorded replies of the nlctrl of Linux 6.18, and with a
// family of its own.
type recording struct {
	added       genl.FamilyInfo
	policies    genl.Policies // of the family of its own
	fault       error         // of a list
	policyFault error
}

const recordings = "../../daemon/genl/testdata/nlctrl"

func (r *recording) Families(context.Context) (families []genl.FamilyInfo, err error) {
	replies, err := os.ReadFile(filepath.Join(recordings, "families"))
	if err := errors.Join(err, r.fault); err != nil {
		return nil, err
	}
	for _, attrs := range kernelmsg.Attributes(replies) {
		f, err := genl.ParseFamily(attrs)
		if err != nil {
			return nil, err
		}
		families = append(families, f)
	}
	if r.added.Name != "" {
		families = append(families, r.added)
	}
	return families, nil
}

func (r *recording) Policies(_ context.Context, f genl.FamilyInfo) (genl.Policies, error) {
	if r.policyFault != nil {
		return genl.Policies{}, r.policyFault
	}
	if f.Name == r.added.Name {
		return r.policies, nil
	}
	replies, err := os.ReadFile(filepath.Join(recordings, "policies-"+f.Name))
	if os.IsNotExist(err) {
		return genl.Policies{}, nil
	}
	if err != nil {
		return genl.Policies{}, err
	}
	return genl.ParsePolicies(kernelmsg.Attributes(replies), f.Operations)
}

func (r *recording) Close() error { return nil }

// runFamily runs a command of family with a kernel.
func runFamily(t *testing.T, kernel controller, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, errs := tempFile(t), tempFile(t)
	s := &session{out: out, err: errs, output: outputText, openController: func() (controller, error) { return kernel, nil }}
	code = s.run(append([]string{"family"}, args...))
	return code, content(t, out), content(t, errs)
}

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func content(t *testing.T, f *os.File) string {
	t.Helper()
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hostileFamily is a family whose module defines unsafe names, with each kind of limit.
func hostileFamily() *recording {
	none, six, ten, mask := genl.NoPolicy, uint32(6), uint32(10), uint64(math.MaxUint64)
	return &recording{
		added: genl.FamilyInfo{
			Name: hostile, ID: 40, Version: 1, HeaderBytes: 8, MaxAttr: 20,
			Operations: []genl.Operation{{ID: 1, Flags: genl.CanDo | genl.HasPolicy | 0x40}, {ID: 2, Flags: genl.CanDump}},
			Groups:     []genl.Group{{Name: "a" + hostile, ID: 41}, {Name: "b", ID: 42}},
		},
		policies: genl.Policies{
			Operations: []genl.OperationPolicy{{ID: 1, Do: 0, Dump: none}},
			List: []genl.Policy{{
				{Number: 1, Type: unix.NL_ATTR_TYPE_U64, Range: &genl.Range{Min: genl.Unsigned(1), Max: genl.Unsigned(1 << 60)}, Nested: none},
				{Number: 2, Type: unix.NL_ATTR_TYPE_S8, Range: &genl.Range{Min: genl.Signed(-1), Max: genl.Signed(1)}, Nested: none},
				{Number: 3, Type: unix.NL_ATTR_TYPE_U64, Mask: &mask, Nested: none},
				{Number: 4, Type: unix.NL_ATTR_TYPE_BINARY, MinLen: 6, MaxLen: &six, Nested: none},
				{Number: 5, Type: unix.NL_ATTR_TYPE_BINARY, MinLen: 6, MaxLen: &ten, Nested: none},
				{Number: 6, Type: unix.NL_ATTR_TYPE_BINARY, MinLen: 6, Nested: none},
				{Number: 7, Type: unix.NL_ATTR_TYPE_NESTED, Nested: 1},
				{Number: 8, Type: 99, Nested: none},
			}, nil},
		},
	}
}

func TestFamilyOutput(t *testing.T) {
	kernel := hostileFamily()
	for name, args := range map[string][]string{
		"list.txt":          {"list"},
		"list.json":         {"list", "-o", "json"},
		"show-nlctrl.txt":   {"show", "nlctrl"},
		"show-nlctrl.json":  {"show", "nlctrl", "-o", "json"},
		"show-netdev.txt":   {"show", "netdev"},
		"show-acpi.txt":     {"show", "acpi_event"},
		"show-hostile.txt":  {"show", hostile},
		"show-hostile.json": {"show", hostile, "-o", "json"},
		"spec-IOAM6.yaml":   {"spec", "IOAM6"},
		"spec-hostile.yaml": {"spec", hostile},
		"spec-hostile.json": {"spec", hostile, "-o", "json"},
		"skeleton.yaml":     {"spec", "--skeleton", "nlctrl"},
	} {
		code, stdout, stderr := runFamily(t, kernel, args...)
		if code != 0 || stderr != "" {
			t.Errorf("%q: status %d, %q", args, code, stderr)
		}
		if !event.IsVisible(strings.ReplaceAll(stdout, "\n", "")) {
			t.Errorf("%q: the output is not safe on a terminal: %q", args, stdout)
		}
		checkGolden(t, filepath.Join("testdata", "family", name), stdout)
	}
}

func checkGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

func TestSpecPrintsTheBuiltInSpecificationWithoutAKernel(t *testing.T) {
	kernel := &recording{fault: errors.New("not to be asked")}
	want, err := ynl.EmbeddedText("devlink")
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := runFamily(t, kernel, "spec", "devlink"); code != 0 || stdout != string(want) {
		t.Errorf("status %d, %q, %.200q", code, stderr, stdout)
	}
	var form specForm
	_, stdout, _ := runFamily(t, kernel, "spec", "devlink", "-o", "json")
	if err := json.Unmarshal([]byte(stdout), &form); err != nil || form != (specForm{"devlink", "built-in", string(want)}) {
		t.Errorf("%v, %.200q", err, stdout)
	}
	if code, _, stderr := runFamily(t, kernel, "spec", "devlink", "--skeleton"); code != 1 || !strings.Contains(stderr, "not to be asked") {
		t.Errorf("status %d, %q", code, stderr)
	}
}

func TestFamilyErrorsNameTheRemedy(t *testing.T) {
	tests := []struct {
		kernel recording
		args   []string
		code   int
		want   string
	}{
		{recording{}, nil, 64, "missing subcommand; use list, show or spec; see genltestctl family --help"},
		{recording{}, []string{"list", "x"}, 64, `unknown command "x"`},
		{recording{}, []string{"show"}, 64, "1 arg"},
		{recording{}, []string{"show", "ethtol"}, 66, `generic netlink family "ethtol" is not registered; did you mean "ethtool"?`},
		{recording{}, []string{"show", "nlbl"}, 66, `did you mean "NLBL_MGMT" or "NLBL_CIPSOv4" or "NLBL_CALIPSO" or "NLBL_UNLBL"?`},
		{recording{}, []string{"spec", "mptcp"}, 66, `did you mean "mptcp_pm"?`},
		{recording{}, []string{"spec", "linkflap\x1b[2J"}, 66, `"linkflap\x1b[2J" is not registered; load its module, or choose a name of`},
		{recording{}, []string{"show", ""}, 66, `family "" is not registered; load its module`},
		{recording{fault: syscall.EPERM}, []string{"list"}, 77, "a sandbox or a security module denies generic netlink"},
		{recording{fault: syscall.EACCES}, []string{"show", "nlctrl"}, 77, "permission denied; a sandbox"},
		{recording{fault: os.ErrDeadlineExceeded}, []string{"list"}, 69, "the kernel does not answer"},
		{recording{fault: syscall.EAFNOSUPPORT}, []string{"list"}, 69, "generic netlink is not available here"},
		{recording{fault: syscall.ENOMEM}, []string{"list"}, 1, "cannot allocate memory"},
		{recording{policyFault: syscall.ENOENT}, []string{"spec", "IOAM6"}, 66, "the family was just unregistered"},
		{recording{policyFault: syscall.EPERM}, []string{"spec", "IOAM6"}, 77, "a sandbox or a security module"},
	}
	for _, test := range tests {
		code, stdout, stderr := runFamily(t, &test.kernel, test.args...)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 ||
			strings.Contains(stderr, "\x1b") {
			t.Errorf("%q: status %d, %q, %q; want %d, %q", test.args, code, stdout, stderr, test.code, test.want)
		}
	}
}

// Kernels before Linux 5.8 do not report policies.
func TestOldKernelOmitsPolicies(t *testing.T) {
	kernel := &recording{policyFault: genl.ErrNoIntrospection}
	const warning = "warning: the attributes are missing: this kernel does not report policies; Linux 5.8 or newer is required\n"
	code, stdout, stderr := runFamily(t, kernel, "show", "IOAM6")
	if code != 0 || stderr != warning || !strings.Contains(stdout, "ioam6_events") || strings.Contains(stdout, "ATTRIBUTE") {
		t.Errorf("show: status %d, %q, %q", code, stderr, stdout)
	}
	code, stdout, stderr = runFamily(t, kernel, "show", "IOAM6", "-o", "json")
	if code != 0 || stderr != warning || !strings.Contains(stdout, "ioam6_events") || strings.Contains(stdout, "policies") {
		t.Errorf("show as JSON: status %d, %q, %q", code, stderr, stdout)
	}
	code, stdout, stderr = runFamily(t, kernel, "spec", "IOAM6")
	if code != 0 || stderr != warning || !strings.Contains(stdout, "# TODO: all attributes. This kernel does not report them") {
		t.Errorf("spec: status %d, %q, %q", code, stderr, stdout)
	}
}

// If policies cannot be read for another reason, show prints the rest and fails.
func TestShowPrintsTheRestIfPoliciesCannotBeRead(t *testing.T) {
	for _, format := range outputFormats() {
		code, stdout, stderr := runFamily(t, &recording{policyFault: syscall.ENOBUFS}, "show", "IOAM6", "-o", format)
		if code != 1 || !strings.Contains(stderr, "no buffer space available") || !strings.Contains(stdout, "ioam6_events") {
			t.Errorf("%s: status %d, %q, %q", format, code, stderr, stdout)
		}
	}
}

func TestFamilyOfTheRunningKernel(t *testing.T) {
	code, stdout, stderr := execute(t, "family", "list")
	if code != 0 || stderr != "" || !strings.Contains(stdout, "\nnlctrl ") || !strings.Contains(stdout, "\nethtool ") {
		t.Errorf("list: status %d, %q, %q", code, stderr, stdout)
	}
	for _, name := range []string{"nlctrl", "ethtool"} {
		code, stdout, _ = execute(t, "family", "show", name)
		if code != 0 || !strings.HasPrefix(stdout, "name           "+name+"\n") || !strings.Contains(stdout, "OPERATION") {
			t.Errorf("show %s: status %d, %q", name, code, stdout)
		}
		code, stdout, _ = execute(t, "family", "spec", "--skeleton", name)
		if spec, err := ynl.Parse(name, []byte(stdout)); code != 0 || err != nil || spec.Family != name {
			t.Errorf("spec of %s: status %d, %v", name, code, err)
		}
	}
}

func TestCompletionListsFamilies(t *testing.T) {
	for _, command := range []string{"show", "spec"} {
		code, stdout, _ := execute(t, "__complete", "family", command, "")
		if code != 0 || !strings.Contains(stdout, "ethtool\n") {
			t.Errorf("%s: status %d, %q", command, code, stdout)
		}
		if _, stdout, _ := execute(t, "__complete", "family", command, "ethtool", ""); strings.Contains(stdout, "nlctrl") {
			t.Errorf("%s: a second name is completed: %q", command, stdout)
		}
	}
}

func TestFamilyOutputFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{
		{"list"}, {"list", "-o", "json"}, {"show", "nlctrl"}, {"spec", "IOAM6"}, {"spec", "devlink", "-o", "json"},
	} {
		errs := tempFile(t)
		s := &session{out: full, err: errs, output: outputText, openController: func() (controller, error) { return &recording{}, nil }}
		if code := s.run(append([]string{"family"}, args...)); code != 1 || !strings.Contains(content(t, errs), "no space left on device") {
			t.Errorf("%s: status %d, %q", args, code, content(t, errs))
		}
	}
}

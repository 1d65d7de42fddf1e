// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/config/strict"
)

// headers are the headers of each specification, and some of their constants that our
// specification must contain if the headers do.
var headers = map[string]struct{ files, mustHave string }{
	"ethtool":  {"ethtool_netlink.h ethtool_netlink_generated.h ethtool.h", "ETHTOOL_A_LINKMODES_SPEED ETHTOOL_MSG_RINGS_NTF"},
	"netdev":   {"netdev.h", "NETDEV_A_DEV_XDP_FEATURES NETDEV_CMD_DEV_ADD_NTF"},
	"nlctrl":   {"genetlink.h netlink.h", "CTRL_ATTR_FAMILY_ID CTRL_CMD_NEWFAMILY NL_ATTR_TYPE_U8"},
	"mptcp_pm": {"mptcp.h mptcp_pm.h", "MPTCP_ATTR_TOKEN MPTCP_EVENT_CREATED"},
	"devlink":  {"devlink.h", "DEVLINK_ATTR_BUS_NAME DEVLINK_CMD_HEALTH_REPORTER_RECOVER DEVLINK_PORT_FLAVOUR_PCI_SF"},
	"thermal":  {"thermal.h", "THERMAL_GENL_ATTR_TZ_ID THERMAL_GENL_EVENT_TZ_TRIP_UP THERMAL_TRIP_HOT"},
	"genltest": {"../../../../kmod/genltest.h", "GENLTEST_A_MSG GENLTEST_CMD_ECHO"},
}

// uapiDir contains the headers of the kernel: linux-libc-dev of Debian.
func uapiDir() string { return cmp.Or(os.Getenv("GENLTEST_UAPI"), "/usr/include/linux") }

// knownVersion is the version of the kernel whose headers our specifications contain
// completely. Headers of a newer kernel may have more.
const knownVersion = 7<<16 + 3<<8

// The names and numbers of our specifications are those of the kernel's headers.
func TestSpecificationsAgreeWithTheHeadersOfTheKernel(t *testing.T) {
	version := readHeaders(t, "version.h").constants
	if len(version) == 0 {
		t.Skip("the kernel's headers are not installed; install linux-libc-dev, or set GENLTEST_UAPI")
	}
	isNewer := version["LINUX_VERSION_CODE"] > knownVersion|0xff
	for family, h := range headers {
		t.Run(family, func(t *testing.T) {
			u := uapi{readHeaders(t, strings.Fields(h.files)...), make(map[string]bool), make(map[string]bool)}
			if len(u.constants) == 0 {
				t.Skipf("no header of %s", h.files)
			}
			u.compare(t, mustReadFile(t, family))
			for _, name := range strings.Fields(h.mustHave) {
				if _, ok := u.constants[name]; ok && !u.found[name] && !u.commands[name] {
					t.Errorf("%s was not compared", name)
				}
			}
			for _, name := range u.missing() {
				if isNewer {
					t.Logf("%s is new in the kernel", name)
				} else {
					t.Errorf("%s is missing in the specification", name)
				}
			}
		})
	}
}

// mustReadFile returns an embedded specification as it is written.
func mustReadFile(t *testing.T, family string) *file {
	t.Helper()
	text, err := embedded.ReadFile("specs/" + family + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f file
	strict.SetDefaults(&f)
	r := strict.NewReport(family, &strict.Costs{}, nil)
	if r.Decode(text, &f, ""); strict.Err(r) != nil {
		t.Fatal(strict.Err(r))
	}
	return &f
}

// A uapi compares a specification with the constants of headers.
type uapi struct {
	header
	found    map[string]bool // attributes and entries of enums
	commands map[string]bool
}

// A header contains the constants of headers, and the names of each enum.
type header struct {
	constants map[string]uint64
	enums     [][]string
}

func (u *uapi) compare(t *testing.T, f *file) {
	for _, d := range f.Definitions {
		value := d.Start.or(0)
		for _, e := range d.Entries {
			value = e.Value.or(value)
			number := value
			if d.Type == "flags" {
				number = 1 << value
			}
			u.check(t, u.found, string(d.Prefix), string(e.Name), number)
			value++
		}
	}
	for _, set := range f.AttributeSets {
		next := uint64(1)
		for _, a := range set.Attributes {
			number := a.Value.or(next)
			u.check(t, u.found, string(set.Prefix), string(a.Name), number)
			next = number + 1
		}
	}
	s := strict.NewReport("", &strict.Costs{}, nil).Section("operations")
	for i, n := range replyNumbers(&f.Operations, s) {
		op := &f.Operations.List[i]
		number := op.Value.or(op.Dump.Reply.Value.or(n.number))
		u.check(t, u.commands, string(f.Operations.Prefix), string(op.Name), number)
	}
}

// constant returns the name of a constant of C.
func constant(prefix, name string) string {
	return strings.ToUpper(strings.ReplaceAll(prefix+name, "-", "_"))
}

// check compares a number with the constant of its name, if the headers define one.
func (u *uapi) check(t *testing.T, found map[string]bool, prefix, name string, number uint64) {
	t.Helper()
	if prefix == "" {
		return
	}
	if want, ok := u.constants[constant(prefix, name)]; ok {
		found[constant(prefix, name)] = true
		if number != want {
			t.Errorf("%s is %d in the kernel, and %d in the specification", constant(prefix, name), want, number)
		}
	}
}

var notEntries = regexp.MustCompile(`^__|_(UNSPEC|MAX|CNT|MASK)$|_MAX_BIT$`)

// missing returns the entries of enums of which the specification contains others.
func (u *uapi) missing() (names []string) {
	for _, enum := range u.enums {
		if !slices.ContainsFunc(enum, func(name string) bool { return u.found[name] }) {
			continue
		}
		for _, name := range enum {
			if !u.found[name] && !notEntries.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// readHeaders returns the constants of headers; it is empty if the files do not exist.
func readHeaders(t *testing.T, files ...string) header {
	h := header{constants: make(map[string]uint64)}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(uapiDir(), name))
		if strings.HasPrefix(name, "..") {
			text, err = os.ReadFile(strings.TrimPrefix(name, "../../"))
		}
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		h.parse(string(text))
	}
	return h
}

var (
	comments = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	defines  = regexp.MustCompile(`(?m)^#\s*define\s+(\w+)[ \t]+((?:[^\n]|\\\n)*)$`)
	enums    = regexp.MustCompile(`(?s)\benum\s*\w*\s*\{(.*?)\}`)
)

// parse adds the constants of a header: of enums, and macros with a number.
func (h *header) parse(text string) {
	text = comments.ReplaceAllString(text, "")
	for _, m := range defines.FindAllStringSubmatch(text, -1) {
		if v, err := evaluate(m[2], h.constants); err == nil {
			h.constants[m[1]] = v
		}
	}
	text = defines.ReplaceAllString(text, "")
	for _, m := range enums.FindAllStringSubmatch(text, -1) {
		next := uint64(0)
		var names []string
		for _, entry := range strings.Split(m[1], ",") {
			name, value, isSet := strings.Cut(strings.TrimSpace(entry), "=")
			if name = strings.ToUpper(strings.TrimSpace(name)); name == "" {
				continue
			}
			if isSet {
				if v, err := evaluate(value, h.constants); err == nil {
					next = v
				}
			}
			h.constants[name] = next
			names = append(names, name)
			next++
		}
		h.enums = append(h.enums, names)
	}
}

// evaluate returns the value of an expression of C, which is like one of Go.
func evaluate(text string, constants map[string]uint64) (uint64, error) {
	expr, err := parser.ParseExpr(strings.ReplaceAll(strings.TrimSpace(text), "\\\n", ""))
	if err != nil {
		return 0, err
	}
	return value(expr, constants)
}

func value(e ast.Expr, constants map[string]uint64) (uint64, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return value(e.X, constants)
	case *ast.BasicLit:
		return strconv.ParseUint(strings.TrimRight(e.Value, "UL"), 0, 64)
	case *ast.Ident:
		if v, ok := constants[strings.ToUpper(e.Name)]; ok {
			return v, nil
		}
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && f.Name == "_BITUL" && len(e.Args) == 1 {
			n, err := value(e.Args[0], constants)
			return 1 << n, err
		}
	case *ast.BinaryExpr:
		x, err := value(e.X, constants)
		y, errY := value(e.Y, constants)
		if err := cmp.Or(err, errY); err != nil {
			return 0, err
		}
		switch e.Op {
		case token.SHL:
			return x << y, nil
		case token.SUB:
			return x - y, nil
		}
	}
	return 0, fmt.Errorf("not a number")
}

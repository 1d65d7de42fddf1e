// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A question is a message that both decoders decode.
type question struct {
	file    string // of the specification
	spec    *Spec
	command *command
	raw     []byte
}

// The kernel's own client and the Decoder return the same values for random messages of
// every Generic Netlink family that the kernel has a specification of, and of our own
// specifications.
//
// The forms differ: see canonical, and the methods of testdata/oracle.py.
func TestTheKernelsClientDecodesRandomMessagesTheSame(t *testing.T) {
	linux := kernelsClient(t)
	compare(t, linux, randomQuestions(t))
}

// As for random messages, with at least 10,000 messages of the running kernel, and those in
// the test data, which other kernels and devices sent.
func TestTheKernelsClientDecodesCapturedMessagesTheSame(t *testing.T) {
	linux := kernelsClient(t)
	messages := captureLive(t)
	for _, c := range storedMessages(t) {
		messages[c.family] = append(messages[c.family], c.raw)
	}
	compare(t, linux, capturedQuestions(t, messages))
}

// kernelsClient returns the source of Linux in GENLTEST_LINUX, which contains the client.
func kernelsClient(t *testing.T) (linux string) {
	t.Helper()
	linux = os.Getenv("GENLTEST_LINUX")
	if linux == "" {
		t.Skip("the kernel's client is missing; set GENLTEST_LINUX to the source of Linux 6.13 or newer, such as linux-source of Debian")
	}
	if _, err := os.Stat(filepath.Join(linux, "tools/net/ynl/pyynl/lib/ynl.py")); err != nil {
		t.Fatalf("GENLTEST_LINUX is not the source of Linux 6.13 or newer: %v", err)
	}
	return linux
}

// compare decodes each message with both decoders.
func compare(t *testing.T, linux string, questions []question) {
	t.Helper()
	families := make(map[string]int)
	answers := ask(t, linux, questions)
	for i, q := range questions {
		var d Decoder
		m, err := d.Decode(q.spec, q.raw)
		if err != nil {
			t.Fatalf("%s %s %x: %v", q.spec.Family, q.command.name, q.raw, err)
		}
		got, want := canonical(mustUnmarshal(t, m.Attributes.AppendJSON(nil))), canonical(mustUnmarshal(t, answers[i]))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s %s %x (-kernel +ours)\n%s", q.spec.Family, q.command.name, q.raw, diff)
		}
		families[q.spec.Family]++
	}
	t.Logf("%d messages of %d families: %v", len(questions), len(families), families)
	if len(questions) < 10000 || len(families) < 5 {
		t.Errorf("only %d messages of %d families were compared", len(questions), len(families))
	}
}

// ask returns the answers of the kernel's client.
func ask(t *testing.T, linux string, questions []question) [][]byte {
	t.Helper()
	var input, failure bytes.Buffer
	for _, q := range questions {
		fmt.Fprintf(&input, "%s %s %x\n", q.file, q.command.name, q.raw)
	}
	client := exec.Command("python3", "testdata/oracle.py", linux)
	client.Stdin, client.Stderr = &input, &failure
	output, err := client.Output()
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	if err != nil || len(lines) != len(questions) {
		t.Fatalf("%v after %d of %d answers: %s", err, len(lines), len(questions), failure.Bytes())
	}
	return lines
}

func mustUnmarshal(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// canonical converts the values of both decoders to one form:
//   - Large numbers are strings here, so all numbers become texts.
//   - Bytes are texts of digits here.
//   - Bits without a name are one number here, and the number of each bit there.
//   - An attribute without a name is UnknownAttr(NUMBER) there.
//   - Padding that contains data is kept here, and omitted there. The kernel's specification
//     of nlctrl exchanges the numbers of its mask and its padding.
//   - An entry of an array is {NUMBER: ENTRY} there, and contains the number as index here.
func canonical(v any) any {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = canonical(v[i])
		}
		return list
	case map[string]any:
		if special, ok := canonicalObject(v); ok {
			return special
		}
		object := make(map[string]any)
		for name, value := range v {
			if name == "pad" {
				continue
			}
			name = strings.TrimSuffix(strings.TrimPrefix(name, "UnknownAttr("), ")")
			object[name] = canonical(value)
		}
		return object
	}
	return v
}

// canonicalObject converts the objects that represent another value.
func canonicalObject(v map[string]any) (any, bool) {
	if len(v) != 1 {
		return nil, false
	}
	for name, value := range v {
		if name == "$bytes" {
			return value, true
		}
		if list, ok := value.([]any); ok && name == "$flags" {
			return canonicalFlags(list), true
		}
		if entry, ok := value.(map[string]any); ok && strings.Trim(name, "0123456789") == "" {
			entry = maps.Clone(entry)
			if _, ok := entry[indexName]; !ok {
				entry[indexName] = json.Number(name)
			}
			return canonical(entry), true
		}
	}
	return nil, false
}

func canonicalFlags(list []any) any {
	names := []any{}
	var nameless uint64
	for _, flag := range list {
		if bit, ok := flag.(json.Number); ok {
			n, _ := strconv.Atoi(bit.String())
			nameless |= 1 << n
		} else {
			names = append(names, flag)
		}
	}
	if nameless != 0 {
		names = append(names, strconv.FormatUint(nameless, 10))
	}
	return names
}

// ownSpecs returns our specifications that the kernel's client can read. In that of
// acpi_event, a struct contains strings, which the client does not decode.
func ownSpecs() (files []string) {
	for family := range families {
		if family != "acpi_event" {
			files = append(files, "specs/"+family+".yaml")
		}
	}
	slices.Sort(files)
	return files
}

// capturedQuestions returns the messages of each family with each specification of the
// family that contains their command.
func capturedQuestions(t *testing.T, messages map[string][][]byte) (all []question) {
	t.Helper()
	for _, name := range append(kernelSpecs(t), ownSpecs()...) {
		family := strings.TrimSuffix(filepath.Base(name), ".yaml")
		if len(messages[family]) == 0 {
			continue
		}
		spec := mustParseInstalled(t, name)
		for _, raw := range messages[family] {
			if spec.events[raw[0]] != nil || spec.replies[raw[0]] != nil && family != "mptcp_pm" {
				all = append(all, question{name, spec, spec.command(raw[0]), raw})
			}
		}
	}
	return all
}

var typeOfOther = regexp.MustCompile(", x-type-of: [a-z-]+")

// mustParseInstalled omits x-type-of, which the kernel's client does not know: the values are
// then bytes.
func mustParseInstalled(t *testing.T, name string) *Spec {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := ParseInstalled(name, typeOfOther.ReplaceAll(text, nil))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

const messagesPerSpec = 1000

// randomQuestions returns random messages of all commands of the specifications.
func randomQuestions(t *testing.T) (all []question) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range append(kernelSpecs(t), ownSpecs()...) {
		if text, err := os.ReadFile(name); err != nil || strings.Contains(string(text), "\nprotocol: netlink-raw") {
			continue
		}
		spec := mustParseInstalled(t, name)
		var numbers []uint8 // of the commands
		for number := range 256 {
			if spec.command(uint8(number)) != nil {
				numbers = append(numbers, uint8(number))
			}
		}
		for i := range messagesPerSpec {
			number := numbers[i%len(numbers)]
			c, g := spec.command(number), generator{random: random}
			all = append(all, question{name, spec, c, append([]byte{number, 1, 0, 0}, g.message(c)...)})
		}
	}
	return all
}

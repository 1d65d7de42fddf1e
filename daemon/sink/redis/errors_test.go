// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"os"
	"regexp"
	"strings"
	"testing"

	redigo "github.com/gomodule/redigo/redis"
	"github.com/google/go-cmp/cmp"
)

func TestDocumentationHasTheTableOfAnswers(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sinks/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []row
	rows := regexp.MustCompile("(?m)^\\| (`[^`|]+`|anything else) \\| (retry|dead letter) \\| (.*) \\|$")
	for _, m := range rows.FindAllStringSubmatch(string(page), -1) {
		prefix := strings.Trim(m[1], "`")
		if m[1] == "anything else" {
			prefix = ""
		}
		got = append(got, row{prefix, verdict(m[2]), m[3]})
	}
	if diff := cmp.Diff(answers, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("table in docs/sinks/redis.md (-want +got):\n%s", diff)
	}
}

// The texts are those of Redis 7.0.
func TestAnswersHaveTheirRow(t *testing.T) {
	for _, tt := range [][2]string{
		{"OOM command not allowed when used memory > 'maxmemory'.", "OOM"},
		{"EXECABORT Transaction discarded because of: OOM command not allowed when used memory > ", "OOM"},
		{"EXECABORT Transaction discarded because of previous errors.", ""},
		{"READONLY You can't write against a read only replica.", "READONLY"},
		{"LOADING Redis is loading the dataset in memory", "LOADING"},
		{"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", "BUSY"},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "MASTERDOWN"},
		{"MOVED 3999 127.0.0.1:6381", "MOVED"},
		{"ASK 3999 127.0.0.1:6381", "ASK"},
		{"CLUSTERDOWN Hash slot not served", "CLUSTERDOWN"},
		{"ERR Protocol error: invalid bulk length", "ERR Protocol error: invalid bulk length"},
		{"ERR Protocol error: expected '$', got ' '", ""},
		{"ERR unknown command 'MULTI', with args beginning with: ", "ERR unknown command"},
		{"ERR max number of clients reached", "ERR max number of clients"},
		{"ERR Elements are too large to be stored", "ERR Elements are too large"},
		{"ERR The ID specified in XADD must be greater than 0-0", ""},
		{"", ""},
		{"NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"},
		{"DENIED Redis is running in protected mode because protected mode is enabled and no password is set", "DENIED"},
	} {
		if got := rowOf(redigo.Error(tt[0])); got.prefix != tt[1] {
			t.Errorf("%q has the row %q, want %q", tt[0], got.prefix, tt[1])
		}
	}
}

func FuzzRowOf(f *testing.F) {
	for _, r := range answers {
		f.Add(r.prefix)
		f.Add(aborted + r.prefix)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := rowOf(redigo.Error(text))
		if !strings.HasPrefix(strings.TrimPrefix(text, aborted), r.prefix) || r.remedy == "" || r.verdict == "" {
			t.Errorf("%q has the row %+v", text, r)
		}
	})
}

func FuzzToken(f *testing.F) {
	for _, seed := range []string{"", "web-1", "a b", "\x00\xff", "é\u202e", "\x1b[2J"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		const prefix = "genltestd:"
		got := string(appendToken([]byte(prefix), value))
		token := strings.TrimPrefix(got, prefix)
		if token == got || token == "" || len(token) > max(len(value), 1) || strings.ContainsAny(token, " \n\x00\x1b") {
			t.Errorf("%q becomes %q", value, got)
		}
		if again := string(appendToken(nil, []byte(token))); again != token {
			t.Errorf("%q becomes %q", token, again)
		}
	})
}

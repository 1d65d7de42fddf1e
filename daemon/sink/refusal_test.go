// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrappedErrorsKeepTheirRefusal(t *testing.T) {
	mark := Refusal{RefusedHTTPStatus, 413}
	for _, err := range []error{
		mark.Mark(io.EOF),
		Permanent(mark.Mark(io.EOF)),
		PermanentAmong(7, fmt.Errorf("POST: %w", mark.Mark(io.EOF))),
		errors.Join(io.ErrClosedPipe, mark.Mark(io.EOF)),
	} {
		if got := RefusalOf(err); got != mark || !errors.Is(err, io.EOF) {
			t.Errorf("RefusalOf(%v) = %+v", err, got)
		}
	}
	if got := RefusalOf(Permanent(io.EOF)); got != (Refusal{Kind: RefusedOther}) {
		t.Errorf("an unmarked error is %+v", got)
	}
}

func TestDocumentationListsEveryKindOfRefusal(t *testing.T) {
	page, err := os.ReadFile("../../docs/genltestctl.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| kind | why the event was refused | status |")
	var got []RefusalKind
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^|]+ \\| [^|]*\\|$").FindAllStringSubmatch(table, -1) {
		got = append(got, RefusalKind(row[1]))
	}
	if diff := cmp.Diff(RefusalKinds(), got); diff != "" {
		t.Errorf("kinds in docs/genltestctl.md (-want +got):\n%s", diff)
	}
}

// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const header = "genltestd-boots journal="

func encode(spans []span, journalID string) []byte {
	text := appendLine(nil, header+journalID)
	for _, s := range spans {
		host := orDash(url.PathEscape(s.host))
		text = appendLine(text, fmt.Sprintf("%d %s %s %s", s.first, orDash(s.boot.ID), orDash(s.boot.Release), host))
	}
	return text
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendLine(text []byte, line string) []byte {
	return fmt.Appendf(text, "%s crc=%08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

var (
	errHeader = errors.New("not the boots of this journal, or the first line is damaged")
	errLine   = errors.New("a line is damaged")
)

// parse returns the valid lines of a file. The error is set if there are others.
func parse(text []byte, journalID string) (spans []span, err error) {
	lines := strings.SplitAfter(string(text), "\n")
	if line, ok := checked(lines[0]); !ok || line != header+journalID {
		return nil, errHeader
	}
	for _, line := range lines[1:] {
		if line == "" {
			continue // the end of the file
		}
		s, ok := parseSpan(line)
		if n := len(spans); n > 0 && (!ok || s.first <= spans[n-1].first) {
			spans[n-1].boot, spans[n-1].host = Boot{}, ""
		}
		if !ok {
			err = errLine
			continue
		}
		spans = add(spans, s)
	}
	return spans, err
}

var spanLine = regexp.MustCompile(`^([0-9]{1,20}) ([0-9a-f]{32}|-) ([!-~]{1,64})(?: ([!-~]+))?$`)

const maxSpanHost = 1000 // bytes, escaped

func parseSpan(line string) (span, bool) {
	text, ok := checked(line)
	match := spanLine.FindStringSubmatch(text)
	if !ok || match == nil || len(match[4]) > maxSpanHost {
		return span{}, false
	}
	first, err := strconv.ParseUint(match[1], 10, 64)
	host, herr := url.PathUnescape(orEmpty(match[4]))
	return span{first, Boot{orEmpty(match[2]), orEmpty(match[3])}, host}, err == nil && herr == nil
}

func orEmpty(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// checked returns the line without its checksum and line end, and whether the checksum is
// correct.
func checked(line string) (string, bool) {
	text, _, _ := strings.Cut(line, " crc=")
	return text, string(appendLine(nil, text)) == line
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/template"

	"golang.org/x/sys/unix"
)

//go:embed report.md
var text string

// A row is one line of the table, formatted.
type row struct {
	Load, Program, CPU, Ratio, Lost, Allocations, Target, Holds string
	Text                                                        int
}

func report(w io.Writer, b bench, r rounds, list []scenario, results [][]result, sent []deliveryRow) error {
	t, err := template.New("report").Parse(text)
	if err != nil {
		return err
	}
	machine, err := describe(b.journals)
	if err != nil {
		return err
	}
	var rows []row
	for i, s := range list {
		for j, p := range s.programs {
			rows = append(rows, newRow(s, p, results[i], results[i][j]))
		}
	}
	return t.Execute(w, map[string]any{"Machine": machine, "Rounds": r, "Rows": rows, "Deliveries": sent})
}

func newRow(s scenario, p program, results []result, r result) row {
	cpu, ratio := r.cpu(), r.ratio(results[0])
	line := row{
		Load: s.name + slowest(r.sent(), s.load), Text: s.text, Program: p.name,
		CPU:  fmt.Sprintf("**%.0f** %.0f–%.0f", cpu.median, cpu.min, cpu.max),
		Lost: fmt.Sprint(r.lost()), Allocations: fmt.Sprintf("%.4f", r.allocations()),
	}
	if len(results) > 1 {
		line.Ratio = fmt.Sprintf("**%.2f** %.2f–%.2f", ratio.median, ratio.min, ratio.max)
	}
	if strings.HasPrefix(p.name, "C,") {
		line.Allocations = "" // not counted
	}
	if t, ok := s.targets[p]; ok {
		line.Target, line.Holds = t.String(), "yes"
		if missed := t.missed(s, results, r); missed != nil {
			line.Holds = "**no**: " + strings.Join(missed, ", ")
		}
	}
	return line
}

// describe lists the conditions of the measurement.
func describe(journals string) (string, error) {
	var name unix.Utsname
	var disk unix.Statfs_t
	if err := unix.Uname(&name); err != nil {
		return "", err
	}
	if err := unix.Statfs(journals, &disk); err != nil {
		return "", err
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	model := "unknown CPU"
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	virtual := ""
	if bytes.Contains(info, []byte(" hypervisor ")) {
		virtual = " (a virtual machine)"
	}
	return fmt.Sprintf("%s, %d cores%s, Linux %s, %s, journal on %s", model, runtime.NumCPU(), virtual,
		unix.ByteSliceToString(name.Release[:]), runtime.Version(), fileSystem(disk.Type)), nil
}

func fileSystem(magic int64) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "XFS"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	}
	return fmt.Sprintf("a file system of type %#x", magic)
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"
)

// bytesText returns a size in its largest unit, such as "16 MiB" or "1.2 GiB".
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/1024, 0
	for ; size >= 1023.5 && unit < len(units)-1; unit++ {
		size /= 1024
	}
	if text := fmt.Sprintf("%.1f", size); size < 9.95 && !strings.HasSuffix(text, ".0") {
		return fmt.Sprintf("%s %ciB", text, units[unit])
	}
	return fmt.Sprintf("%.0f %ciB", size, units[unit])
}

// durationText returns a duration in its two largest units, such as "3m12s" or "2d4h". A duration below
// 10 seconds has one decimal.
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2gs", d.Round(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return unitsText(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return unitsText(d, time.Hour, "h", time.Minute, "m")
	}
	return unitsText(d, day, "d", time.Hour, "h")
}

func unitsText(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d%s", d/large, largeName)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%d%s", rest, smallName)
	}
	return text
}

func secondsText(seconds float64) string {
	return durationText(time.Duration(seconds * float64(time.Second)))
}

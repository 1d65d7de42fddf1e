// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/echo"
)

func echoConfig(c config.Echo) echo.Config {
	return echo.Config{Interval: time.Duration(c.Interval), Timeout: time.Duration(c.Timeout)}
}

// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// An access is the URL and the headers of one attempt, as the secrets were when it began.
type access struct {
	url     *url.URL
	header  http.Header
	secrets redact.Texts
}

// access reads every secret. An error names the secret that cannot be read. The secrets that
// could be read are in the result in any case.
func (c *Config) access() (*access, error) {
	a := &access{header: make(http.Header, len(c.Headers)+4)}
	urlErr := c.readURL(a)
	if err := httpclient.ReadHeaders(c.Headers, a.header, &a.secrets); err != nil && urlErr == nil {
		return a, err
	}
	return a, urlErr
}

func (c *Config) readURL(a *access) error {
	text, err := secret.Read(c.URL)
	if err == nil {
		a.url, err = c.parseURL(text)
	}
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if a.url.Path != logsPath || a.url.RawQuery != "" {
		a.secrets.AddURL(a.url)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/secret"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/tlsclient"
	"github.com/genltestd/genltestd/daemon/sink/webhook"
)

var webhookBatch = map[config.WebhookBatch]webhook.Batch{
	config.WebhookBatchArray: webhook.Array,
	config.WebhookBatchLines: webhook.Lines,
	config.WebhookBatchNone:  webhook.None,
}

var webhookCompression = map[config.Compression]webhook.Compression{
	config.CompressionNone: webhook.Identity,
	config.CompressionGzip: webhook.Gzip,
	config.CompressionZstd: webhook.Zstd,
}

func webhookOptions(c *config.Webhook, encoder event.Encoder, version string) webhook.Options {
	o := webhook.Options{
		URL: secretSource(c.URL), Method: string(c.Method), Version: version, Encoder: encoder,
		Batch: webhookBatch[c.Batch], Compression: webhookCompression[c.Compression],
		Bearer: secretSource(c.Bearer), User: c.Basic.User, Password: secretSource(c.Basic.Password),
		IdempotencyHeader: c.IdempotencyHeader,
		TLS:               tlsOptions(c.TLS),
		Taken:             c.Taken, Retry: c.Retry, Permanent: c.Permanent, Response: c.Response,
		MaxConnectionAge: time.Duration(c.MaxConnectionAge),
	}
	for _, h := range c.Headers {
		o.Headers = append(o.Headers, webhook.Header{Name: h.Name, Value: secretSource(h.Value)})
	}
	for _, s := range c.SigningSecrets {
		o.SigningSecrets = append(o.SigningSecrets, secretSource(s))
	}
	if text, _ := c.Proxy.Inline(); text == config.ProxyEnvironment {
		o.ProxyFromEnvironment = true
	} else {
		o.Proxy = secretSource(c.Proxy)
	}
	return o
}

func tlsOptions(c config.TLS) tlsclient.Options {
	o := tlsclient.Options{ServerName: c.ServerName}
	for _, f := range []struct {
		key  string
		from config.TLSFile
		to   *string
	}{{"ca", c.CA, &o.CA}, {"cert", c.Cert, &o.Cert}, {"key", c.Key, &o.Key}} {
		*f.to = f.from.File
		if f.from.Credential == "" {
			continue
		}
		var err error
		if *f.to, err = secret.CredentialPath(f.from.Credential); err != nil && o.Missing == nil {
			o.Missing = &sink.OptionError{Key: f.key, Err: err}
		}
	}
	return o
}

func secretSource(s config.Secret) secret.Source {
	switch text, inline := s.Inline(); {
	case inline:
		return secret.Inline(text)
	case s.Credential != "":
		return secret.Credential(s.Credential)
	case s.File != "":
		return secret.File(s.File)
	case s.Env != "":
		return secret.Env(s.Env)
	}
	return secret.Source{}
}

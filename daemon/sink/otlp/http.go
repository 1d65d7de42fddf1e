// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// maxResponse is the number of bytes of a response that are read.
const maxResponse = 64 << 10

// The media types of OTLP/HTTP.
const (
	protobuf = "application/x-protobuf"
	inJSON   = "application/json"
)

// An httpExporter sends OTLP/HTTP requests with binary protobuf.
type httpExporter struct {
	config     *Config
	env        sink.Env
	client     *httpclient.Client
	compressor httpclient.Compressor
	response   []byte
	*memory
}

// A memory is reused for the next request, unless the transport may still read the last.
type memory struct {
	packed []byte
	uses   httpclient.Uses
}

func newHTTPExporter(c *Config, env sink.Env, client *httpclient.Client) (*httpExporter, error) {
	compressor, err := httpclient.NewCompressor(c.Compression)
	return &httpExporter{
		config: c, env: env, client: client, compressor: compressor, response: make([]byte, maxResponse), memory: new(memory),
	}, err
}

func (x *httpExporter) inUse() bool { return x.uses.InUse() }

func (x *httpExporter) export(ctx context.Context, a *access, request []byte, _ int) (result, error) {
	if x.uses.InUse() {
		x.memory = new(memory)
	}
	body, err := x.compressor.Compress(x.packed, request)
	if err != nil {
		return result{}, fmt.Errorf("compress the request: %w", err)
	}
	h := maps.Clone(a.header)
	httpclient.SetDefault(h, "User-Agent", userAgent(x.env))
	h.Set("Content-Type", protobuf)
	if x.compressor.Active() {
		x.packed = body
		h.Set("Content-Encoding", x.config.Compression)
	}
	resp, err := x.client.Send(ctx, func(e *httpclient.Exchange) *http.Request {
		return e.Request(ctx, http.MethodPost, a.url, h, body, &x.uses)
	}, x.response, x.env.Mask)
	if err != nil {
		return result{}, err
	}
	return x.read(resp)
}

func userAgent(env sink.Env) string { return "genltestd/" + env.Version }

// read returns the meaning of a response.
func (x *httpExporter) read(resp *httpclient.Response) (result, error) {
	status := resp.StatusCode
	row := rowOfStatus(status)
	if row.verdict == accepted {
		r, err := readSuccess(resp.Header.Get("Content-Type"), resp.Text)
		if resp.Early {
			err = resp.EarlyError()
		}
		if err != nil {
			x.client.Disconnect()
			return result{}, err
		}
		r.message = httpclient.Excerpt(r.message, x.env.Mask)
		return r, nil
	}
	r := result{
		verdict: row.verdict, otherServer: httpclient.MovesOn(status),
		refusal: sink.Refusal{Kind: sink.RefusedHTTPStatus, Status: status},
		delay:   httpclient.RetryAfter(resp.Header, time.Now()),
	}
	if httpclient.Passes(status, resp.Header, resp.Text) {
		r.verdict = retry
	}
	text := httpclient.PlainText(resp.Header, resp.Text)
	if isProtobuf(resp.Header.Get("Content-Type")) {
		answer := parseStatus(resp.Text)
		text, r.delay = answer.message, max(r.delay, answer.delay)
	}
	r.message = httpclient.Describe(resp.Response, row.remedy, text, x.env.Mask)
	return r, nil
}

func isProtobuf(contentType string) bool { return mediaType(contentType) == protobuf }

func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return media
}

// readSuccess parses the body of a response with status 2xx. A web server that is not a
// receiver of OTLP may answer each request with 200 and a page, which accepts nothing. Some
// receivers omit the body.
func readSuccess(contentType string, text []byte) (result, error) {
	var r result
	var err error
	switch media := mediaType(contentType); {
	case len(text) == 0:
	case media == protobuf:
		r, err = parseResponse(text)
	case media == inJSON:
		r, err = parseJSONResponse(text)
	default:
		err = errors.New("it has another Content-Type than " + protobuf)
	}
	if err != nil {
		return result{}, fmt.Errorf("the response is not one of OTLP, so the receiver has not accepted the records; check url: %w", err)
	}
	r.verdict = accepted
	return r, nil
}

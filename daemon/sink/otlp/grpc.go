// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// method is the procedure of OTLP/gRPC.
const method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

// A grpcExporter makes unary calls, each as one request of HTTP/2. A library for gRPC has
// connections and retries of its own, which would hide failures from delivery.
type grpcExporter struct {
	config     *Config
	env        sink.Env
	client     *httpclient.Client
	compressor httpclient.Compressor
	unpacker   unpacker
	response   []byte
	*memory
}

func newGRPCExporter(c *Config, env sink.Env, client *httpclient.Client) (*grpcExporter, error) {
	compressor, err := httpclient.NewCompressor(c.Compression)
	return &grpcExporter{
		config: c, env: env, client: client, compressor: compressor,
		response: make([]byte, prefixSize+maxResponse+1), memory: new(memory),
	}, err
}

func (x *grpcExporter) inUse() bool { return false } // the frame is a copy

func (x *grpcExporter) export(ctx context.Context, a *access, request []byte, records int) (result, error) {
	answer, err := x.call(ctx, a, request)
	if err != nil {
		x.client.Disconnect()
		return result{}, err
	}
	if answer.code != codeOK {
		return x.refused(answer, records), nil
	}
	r, err := parseResponse(answer.message)
	if err != nil {
		x.client.Disconnect()
		return result{}, fmt.Errorf("the response is not one of OTLP: %w", err)
	}
	r.message = httpclient.Excerpt(r.message, x.env.Mask)
	return r, nil
}

func (x *grpcExporter) call(ctx context.Context, a *access, request []byte) (*answer, error) {
	if x.uses.InUse() {
		x.memory = new(memory)
	}
	var err error
	if x.packed, err = appendFrame(x.packed[:0], &x.compressor, request); err != nil {
		return nil, fmt.Errorf("compress the request: %w", err)
	}
	to := &url.URL{Scheme: a.url.Scheme, Host: a.url.Host, Path: method}
	exchange := new(httpclient.Exchange)
	resp, err := x.client.Do(exchange.Request(ctx, http.MethodPost, to, x.header(ctx, a), x.packed, &x.uses))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := checkHeader(resp, x.env.Mask); err != nil {
		return nil, err
	}
	text, err := httpclient.ReadPrefix(x.response, resp.Body)
	if err != nil {
		return nil, fmt.Errorf("the response broke off: %w", err)
	}
	if len(text) == len(x.response) {
		return nil, fmt.Errorf("the response has more than %d bytes", maxResponse)
	}
	return parseAnswer(resp.Header, resp.Trailer, text, &x.unpacker)
}

// header returns the headers of a call, which are its metadata and those of gRPC.
func (x *grpcExporter) header(ctx context.Context, a *access) http.Header {
	h := a.header.Clone()
	httpclient.SetDefault(h, "User-Agent", userAgent(x.env))
	h.Set("Content-Type", grpcType)
	h.Set("Te", "trailers")
	if x.compressor.Active() {
		h.Set("Grpc-Encoding", x.config.Compression)
		h.Set("Grpc-Accept-Encoding", x.config.Compression)
	}
	if deadline, ok := ctx.Deadline(); ok {
		h.Set("Grpc-Timeout", formatTimeout(time.Until(deadline)))
	}
	return h
}

// formatTimeout returns a timeout of at most eight digits and a unit, and at least 1 ms.
func formatTimeout(d time.Duration) string {
	const most = 99_999_999
	if d.Milliseconds() <= most {
		return strconv.FormatInt(max(d.Milliseconds(), 1), 10) + "m"
	}
	return strconv.FormatInt(min(int64(d/time.Second), most), 10) + "S"
}

// refused returns the meaning of a status of the receiver.
func (x *grpcExporter) refused(a *answer, records int) result {
	row := rowOfCode(a.code)
	r := result{
		verdict: row.verdict, delay: a.status.delay, otherServer: movesOn(a.code),
		refusal: sink.Refusal{Kind: sink.RefusedByBroker},
	}
	if a.code == codeResourceExhausted {
		r.verdict = exhausted(a.status.retryInfo, a.status.message, records)
		r.refusal.Kind = sink.RefusedTooLarge
	}
	r.message = row.name
	for _, text := range []string{row.remedy, httpclient.Excerpt(a.status.message, x.env.Mask)} {
		if text != "" {
			r.message += ": " + text
		}
	}
	return r
}

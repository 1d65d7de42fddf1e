// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"connectrpc.com/connect"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/httpclient"
)

// method is the procedure of OTLP/gRPC.
const method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

// A grpcExporter makes unary calls.
type grpcExporter struct {
	config *Config
	env    sink.Env
	client *httpclient.Client
	caller *caller // nil before the first call over new connections
	host   string  // of the caller
}

type caller = connect.Client[message, collector.ExportLogsServiceResponse]

// A message is an encoded request.
type message struct{ text []byte }

// A codec passes encoded requests on, and decodes protobuf.
type codec struct{}

func (codec) Name() string { return "proto" }

// MarshalAppend copies the request into the memory of the client.
func (codec) MarshalAppend(dst []byte, request any) ([]byte, error) {
	m, ok := request.(*message)
	if !ok {
		return dst, fmt.Errorf("%T is not an encoded request", request)
	}
	return append(dst, m.text...), nil
}

func (c codec) Marshal(request any) ([]byte, error) { return c.MarshalAppend(nil, request) }

func (codec) Unmarshal(text []byte, response any) error {
	m, ok := response.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a protobuf message", response)
	}
	return proto.Unmarshal(text, m)
}

func (x *grpcExporter) inUse() bool  { return false } // the client has copied it
func (x *grpcExporter) reconnected() { x.caller = nil }

func (x *grpcExporter) export(ctx context.Context, a *access, request []byte, records int) (result, error) {
	if host := a.url.Scheme + "://" + a.url.Host; x.caller == nil || x.host != host {
		x.caller, x.host = newCaller(x.config.Compression, x.client, host), host
	}
	call := connect.NewRequest(&message{request})
	maps.Copy(call.Header(), a.header)
	httpclient.SetDefault(call.Header(), "User-Agent", userAgent(x.env))
	response, err := x.caller.CallUnary(ctx, call)
	if err == nil {
		r := resultOf(response.Msg)
		r.message = httpclient.Excerpt(r.message, x.env.Mask)
		return r, nil
	}
	var answer *connect.Error
	if errors.As(err, &answer) && connect.IsWireError(err) {
		return x.refused(answer, records), nil
	}
	x.client.Disconnect()
	if answer != nil {
		err = errors.New(answer.Message()) // without a code, which is not the receiver's
	}
	return result{}, err
}

// refused returns the meaning of a status of the receiver.
func (x *grpcExporter) refused(answer *connect.Error, records int) result {
	var s status
	for _, d := range answer.Details() {
		s.addDetail(d.Type(), d.Bytes())
	}
	row := rowOfCode(answer.Code())
	r := result{
		verdict: row.verdict, delay: s.delay, otherServer: movesOn(answer.Code()),
		refusal: sink.Refusal{Kind: sink.RefusedByBroker},
	}
	if answer.Code() == connect.CodeResourceExhausted {
		r.verdict = exhausted(s.retryInfo, answer.Message(), records)
		r.refusal.Kind = sink.RefusedTooLarge
	}
	r.message = row.name
	for _, text := range []string{row.remedy, httpclient.Excerpt(answer.Message(), x.env.Mask)} {
		if text != "" {
			r.message += ": " + text
		}
	}
	return r
}

func newCaller(compression string, client connect.HTTPClient, url string) *caller {
	options := []connect.ClientOption{connect.WithGRPC(), connect.WithCodec(codec{}), connect.WithReadMaxBytes(maxResponse)}
	switch compression {
	case httpclient.Gzip:
		options = append(options, connect.WithAcceptCompression(httpclient.Gzip, newGzipReader, newGzipWriter),
			connect.WithSendCompression(httpclient.Gzip))
	case httpclient.Zstd:
		options = append(options, connect.WithAcceptCompression(httpclient.Zstd, newZstdReader, newZstdWriter),
			connect.WithSendCompression(httpclient.Zstd))
	}
	return connect.NewClient[message, collector.ExportLogsServiceResponse](client, url+method, options...)
}

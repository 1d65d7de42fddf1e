// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// otlpSinks adds sinks of the kind otlp. Their receivers repeat the secrets in each answer that has
// room for a text.
func (w *setup) otlpSinks() {
	receivers := map[string]string{"closed": "http://127.0.0.1:1", "grpc-closed": "http://127.0.0.1:1"}
	for _, code := range []int{200, 307, 400, 401, 503} {
		receivers[fmt.Sprint("status-", code)] = "http://" + w.serve(nil, status(code)).addr
		receivers[fmt.Sprint("protobuf-", code)] = w.serveOTLP(func(rw http.ResponseWriter, text string) { writeOTLP(rw, code, text) })
	}
	for _, code := range []int{3, 8, 16} {
		receivers[fmt.Sprint("grpc-", code)] = w.serveOTLP(func(rw http.ResponseWriter, text string) { writeGRPC(rw, code, text) })
	}
	receivers["grpc-page"] = w.serveOTLP(func(rw http.ResponseWriter, text string) { http.Error(rw, text, http.StatusForbidden) })
	for _, source := range secretSources {
		for name, base := range receivers {
			protocol := "http"
			if strings.HasPrefix(name, "grpc") {
				protocol = "grpc"
			} else {
				base += "/" + url.PathEscape(w.addCanary("sinks[].otlp.url", name+" path", source).Text()) + "/v1/logs?key=" +
					url.QueryEscape(w.addCanary("sinks[].otlp.url", name+" query", source).Text())
			}
			header := w.secretValue(source, w.addCanary("sinks[].otlp.headers[].value", name, source).Text())
			w.sink("otlp-"+name+"-"+source, "otlp", map[string]any{
				"url": w.secretValue(source, base), "protocol": protocol,
				"headers": []any{map[string]any{"name": "X-Api-Key", "value": header}},
			})
		}
	}
}

// serveOTLP starts a receiver for HTTP/1.1 and HTTP/2 without TLS. It passes the parts of a request
// to answer, starting with another one each time.
func (w *setup) serveOTLP(answer func(rw http.ResponseWriter, text string)) string {
	var requests atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // the client may have closed the connection
		answer(rw, strings.Join(requestTexts(r, int(requests.Add(1))), "\n"))
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	w.t.Cleanup(s.Close)
	return s.URL
}

// writeOTLP answers with a partial success, or with a google.rpc.Status.
func writeOTLP(rw http.ResponseWriter, code int, text string) {
	text = strings.ToValidUTF8(text, "?")
	rw.Header().Set("Content-Type", "application/x-protobuf")
	rw.WriteHeader(code)
	body := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), text)
	if code == http.StatusOK {
		body, _ = proto.Marshal(&collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{
			RejectedLogRecords: 1, ErrorMessage: text,
		}})
	}
	rw.Write(body) // the client may have closed the connection
}

// writeGRPC answers with a status of gRPC.
func writeGRPC(rw http.ResponseWriter, code int, text string) {
	rw.Header().Set("Content-Type", "application/grpc")
	rw.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	rw.WriteHeader(http.StatusOK)
	rw.Header().Set("Grpc-Status", fmt.Sprint(code))
	rw.Header().Set("Grpc-Message", url.PathEscape(text[:min(len(text), 4000)]))
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A foreignKey lists words that other programs use for a key of ours.
type foreignKey struct {
	words  string // separated by spaces
	key    string // path of our key: below the same mapping, or after "^" beside that mapping
	advice string // what to write, if the name of the key is not enough
}

// foreignKeys has the words by the mapping in which they are found.
func foreignKeys(t reflect.Type) []foreignKey {
	switch t {
	case reflect.TypeFor[Config]():
		return []foreignKey{
			{"output outputs destination destinations target targets receivers exporters", "sinks", ""},
			{"logging logs logger", "log", ""},
			{"loglevel log_level verbosity debug verbose", "log.level", ""},
			{"metrics web server prometheus api", "http", ""},
			{"listen address port bind", "http.listen", ""},
			{"netlink socket input source kernel", "receiver", ""},
			{"labels tags", "event.labels", ""},
			{"queue buffer spool storage disk", "journal", ""},
			{"health heartbeat ping healthcheck probe", "echo", ""},
		}
	case reflect.TypeFor[HTTP]():
		return []foreignKey{{"address addr port bind host listen_address", "listen", ""}}
	case reflect.TypeFor[Log]():
		return []foreignKey{{"verbosity loglevel log_level severity", "level", ""}, {"debug verbose", "level", "write level: debug"}}
	case reflect.TypeFor[Receiver]():
		return []foreignKey{{"buffer_size rcvbuf size receive_buffer recv_buffer", "buffer", ""}}
	case reflect.TypeFor[Journal]():
		return []foreignKey{
			{"dir directory data_dir location", "path", ""},
			{"size max_size maxsize limit", "max_bytes", ""},
			{"age retention ttl", "max_age", ""},
			{"sync flush", "fsync", ""},
		}
	case reflect.TypeFor[Sink]():
		return []foreignKey{
			{"match when condition if where query", "filter", ""},
			{"regex regexp pattern parse", "extract", ""},
			{"format codec encoding encoder serializer", "envelope", ""},
			{"body payload message", "template", ""},
			{"timeout request_timeout", "attempt_timeout", ""},
			{"retry retries backoff", "retry_max", ""},
			{"batch batch_size batchsize", "batch_events", ""},
			{"flush_interval batch_timeout linger", "batch_wait", ""},
			{"throttle ratelimit rate", "rate_limit", ""},
			{"deduplicate dedupe unique", "dedup", ""},
			{"concurrency threads parallelism", "workers", ""},
			{"dlq dead_letter deadletters", "dead_letters", ""},
			{"id title label", "name", ""},
			{"enabled enable disabled disable active", "", "a sink cannot be switched off by a key; remove it, or write # before each of its lines"},
		}
	case reflect.TypeFor[Webhook]():
		return webhookWords()
	case reflect.TypeFor[BasicAuth]():
		return []foreignKey{{"username name login", "user", ""}, {"pass passwd secret password_file", "password", ""}}
	case reflect.TypeFor[TLS]():
		return tlsWords("")
	case reflect.TypeFor[File]():
		return []foreignKey{
			{"file filename filepath name location", "path", ""},
			{"permissions perm perms file_mode", "mode", ""},
			{"max_size maxsize rotate_size max_bytes", "rotate.max_bytes", ""},
			{"max_age maxage", "rotate.max_age", ""},
			{"max_backups backups keep keep_files", "rotate.keep_files", ""},
			{"compress compression gzip", "rotate.compress", ""},
			{"sync flush", "fsync", ""},
		}
	case reflect.TypeFor[Socket](), reflect.TypeFor[Syslog]():
		return append(tlsWords("tls."),
			foreignKey{"host server port path url uri endpoint protocol network remote destination socket", "address", ""},
			foreignKey{"facility", "^rfc5424.facility", ""}, foreignKey{"severity priority level", "^rfc5424.severity", ""},
			foreignKey{"tag app_name appname program ident identifier", "^rfc5424.app_name", ""},
			foreignKey{"format", "^envelope", ""}, foreignKey{"timeout", "^attempt_timeout", ""})
	case reflect.TypeFor[Journald]():
		return []foreignKey{{"tag ident app_name syslog_identifier", "identifier", ""}, {"severity level", "priority", ""}, {"path address", "socket", ""}}
	case reflect.TypeFor[Exec]():
		return []foreignKey{
			{"command cmd program args arguments script path run shell", "argv", `write argv: ["/bin/sh", "-c", "..."]`},
			{"env envs variables", "environment", ""},
			{"uid username run_as", "user", ""},
			{"workers parallel", "concurrency", ""},
		}
	}
	return nil
}

func webhookWords() []foreignKey {
	return append(tlsWords("tls."),
		foreignKey{"token bearer_token auth_token api_token access_token bearer_token_file", "bearer", ""},
		foreignKey{"authorization auth credentials", "", "write bearer for a token, or basic with user and password"},
		foreignKey{"basic_auth basicauth", "basic", ""},
		foreignKey{"username user login", "basic.user", ""}, foreignKey{"password pass passwd", "basic.password", ""},
		foreignKey{"secret signing_secret signing_key hmac hmac_secret webhook_secret signature", "signing_secrets", "write signing_secrets, a list, to sign requests, or bearer for a token"},
		foreignKey{"timeout request_timeout http_timeout connect_timeout read_timeout", "^attempt_timeout", ""},
		foreignKey{"retries max_retries retry_count max_attempts attempts", "^retry_max", "events are sent until the webhook accepts them; retry_max, beside webhook, is the longest pause between attempts"},
		foreignKey{"retry_interval retry_delay backoff", "^retry_min", ""},
		foreignKey{"batch_size batchsize max_batch", "^batch_events", ""},
		foreignKey{"body payload data", "^template", ""}, foreignKey{"format encoding", "^envelope", ""},
		foreignKey{"uri endpoint address host target link urls", "url", ""}, foreignKey{"verb http_method", "method", ""},
		foreignKey{"proxy_url http_proxy https_proxy", "proxy", ""}, foreignKey{"gzip compress", "compression", ""},
		foreignKey{"api_key apikey header http_headers custom_headers extra_headers request_headers", "headers", "write headers, a list of {name: X-Api-Key, value: {credential: api-key}}"},
		foreignKey{"tls_config ssl", "tls", ""})
}

// tlsWords has the words for the keys of TLS. The key tls has them itself; others have
// them below it.
func tlsWords(below string) []foreignKey {
	return []foreignKey{
		{"insecure insecure_skip_verify skip_verify tls_skip_verify tls_insecure insecureskipverify verify verify_ssl ssl_verify verify_tls skip_tls_verify", below + "ca", "certificates are always verified; write tls: {ca: FILE} to trust a certificate authority of your own"},
		{"ca_file cafile ca_cert cacert ca_path root_ca", below + "ca", ""},
		{"cert_file certfile client_cert certificate", below + "cert", ""},
		{"key_file keyfile client_key private_key", below + "key", ""},
		{"servername sni tls_server_name", below + "server_name", ""},
	}
}

// foreign returns what to write in place of a key of another program; "" for a key that
// no program has. Parent is the path of the mapping.
func foreign(t reflect.Type, parent, name string) string {
	for _, f := range foreignKeys(t) {
		if slices.Contains(strings.Fields(f.words), fold(name)) {
			return f.instead(parent)
		}
	}
	return ""
}

func (f foreignKey) instead(parent string) string {
	key, beside := strings.CutPrefix(f.key, "^")
	first, second, nested := strings.Cut(key, ".")
	switch {
	case f.advice != "":
		return f.advice
	case nested && beside:
		return fmt.Sprintf("write the key %q below %q, beside %q", second, first, lastKey(parent))
	case nested:
		return fmt.Sprintf("write the key %q below %q", second, first)
	case beside:
		return fmt.Sprintf("write %q, beside %q", key, lastKey(parent))
	}
	return fmt.Sprintf("write %q", key)
}

// A foreignKind lists words for kinds of sinks.
type foreignKind struct{ words, kind, advice string }

var foreignKinds = []foreignKind{
	{"http https rest api http_post post url slack teams discord mattermost rocketchat telegram alertmanager loki elasticsearch elastic opensearch splunk splunk_hec hec opsgenie pagerduty datadog otlp", "webhook", ""},
	{"email mail smtp kafka nats mqtt amqp rabbitmq redis sns sqs s3 kinesis pubsub postgres postgresql mysql influxdb snmp snmptrap dbus", "exec", "a program can send the events: exec"},
	{"command cmd script program process shell pipe run", "exec", ""},
	{"unix tcp tls ssl unix_socket tcp_socket unixsocket stream", "socket", ""},
	{"udp rsyslog rfc5424 rfc3164 remote_syslog syslog_ng gelf", "syslog", ""},
	{"journal systemd systemd_journal sd_journal", "journald", ""},
	{"console terminal stderr print standard_output std_out", "stdout", ""},
	{"logfile log_file files jsonl path filename", "file", ""},
}

// kindFor returns the kind of sink that was likely meant, and an advice if the name of
// the kind does not explain itself.
func kindFor(name string) (kind, advice string) {
	for _, f := range foreignKinds {
		if slices.Contains(strings.Fields(f.words), fold(name)) {
			return f.kind, f.advice
		}
	}
	return closest(name, sinkKinds()), ""
}

// fold makes names comparable that differ in case and separators.
func fold(name string) string {
	var b strings.Builder
	for i, c := range name {
		switch {
		case c == '-' || c == ' ' || c == '.':
			b.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				b.WriteByte('_')
			}
			b.WriteRune(c + 'a' - 'A')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"strings"
)

// What the patterns below are made of.
const (
	control = `\x00-\x1f\x7f-\x9f` // what unicode.IsControl says
	octet   = `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
	ipv4    = `(?:` + octet + `\.){3}` + octet
	ipv6    = `[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*(?:%[\s\S]+)?`
	// One that might be a bad IPv4 address is none.
	nameOfHost = `(?:[0-9][0-9.]*[A-Za-z_-]|[A-Za-z])[A-Za-z0-9_.-]*`
	mimeWord   = "[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+"

	absolutePath = `^/[^` + control + `]*$`
	pathOfFile   = `^/[^` + control + `]*[^/` + control + `]$`
	noControl    = `^[^` + control + `]*$`
	noNUL        = `^[^\x00]*$`
)

// textForms are what the check methods say of one value alone, by struct and key: what
// to lay over the schema that its type and tags give. A test compares them with the
// methods.
func textForms() map[string]object {
	path := orEmpty(form(absolutePath, "an absolute path"))
	name := form(sinkName.String(), `at most 63 of a-z, 0-9, "_", "." and "-", beginning with a letter or digit`)
	labelValue := with(form(noControl, "1 to 256 bytes, no control characters"), object{"type": "string", "minLength": 1, "maxLength": maxLabelValue})
	header := form(headerName.String(), "the name of a header, like X-Api-Key")
	variable := form(variableName.String(), `letters, digits and "_", not beginning with a digit`)
	field := form(journaldField.String(), `at most 64 of A-Z, 0-9 and "_", beginning with a letter`)
	argument := with(form(noNUL, "a text without NUL"), object{"type": "string"})
	program := with(form(`^/[^\x00]*$`, "the absolute path of a program"), object{"type": "string"})
	statuses := object{"items": object{"type": "integer", "minimum": 300, "maximum": 599}, "uniqueItems": true}

	return map[string]object{
		"Config.sinks": {"default": []any{object{"name": "stdout", "stdout": object{}}}},
		// Not with propertyNames: yaml-language-server takes << for a name there.
		"Event.labels": {"maxProperties": maxLabels, "patternProperties": object{labelName.String(): labelValue}, "additionalProperties": false},
		"Event.host":   orEmpty(form(shownHost.String(), "1 to 255 visible ASCII characters")),
		"HTTP.listen":  orEmpty(form(`^`+hostPort(true)+`$`, `HOST:PORT, :PORT, or "" for no server`)),
		"Journal.path": path,

		"Sink.name":         name,
		"Sink.template":     {"maxLength": maxTemplate},
		"Sink.content_type": with(orEmpty(form(`^ *`+mimeWord+`/`+mimeWord+` *(?:;[ -~]*)?$`, "a media type, like text/plain")), object{"maxLength": 200}),
		"Dedup.key":         {"minLength": 1},

		"CloudEvents.source": with(form(uriCharacters.String(), "a URI reference, like /site/berlin"), object{"maxLength": maxAttribute}),
		"CloudEvents.type":   with(form(eventType.String(), "words with dots between, like com.example.kernel"), object{"maxLength": maxAttribute}),
		"RFC5424.app_name":   with(form(`^[!-~]+$`, "printable ASCII characters without a space"), object{"maxLength": maxAppName}),

		"File.path": form(pathOfFile, "the absolute path of a file"),
		"File.mode": form(`^0?[2367][0-7]{2}$`, "octal digits with the owner's write bit, like 0640"),

		"Webhook.signing_secrets":    {"items": object{"$ref": "#/$defs/secret-required"}},
		"Webhook.idempotency_header": orEmpty(header),
		"Webhook.taken":              statuses,
		"Webhook.retry":              statuses,
		"Webhook.permanent":          statuses,
		"BasicAuth.user":             form(`^[^\x00-\x1f:\x7f]*$`, "a name without a colon and control characters"),
		"Header.name":                header,
		"Secret.credential":          with(form(credentialName.String(), "the ID that LoadCredential= in the unit has"), object{"description": "The ID of a credential that the service is given: LoadCredential= in the unit."}),
		"Secret.file":                with(form(absolutePath, "an absolute path"), object{"description": "The absolute path of a file that has the secret."}),
		"Secret.env":                 with(form(envName.String(), "the name of a variable, without a $"), object{"description": "The name of an environment variable that has the secret."}),
		"TLSFile.credential":         with(form(credentialName.String(), "the ID that LoadCredential= in the unit has"), object{"description": "The ID of a credential that the service is given: LoadCredential= in the unit."}),
		"TLSFile.file":               with(form(absolutePath, "an absolute path"), object{"description": "The absolute path of a PEM file."}),
		"TLS.server_name":            orEmpty(form(`^(?:`+nameOfHost+`|`+ipv4+`|`+ipv6+`)$`, "a name or an address")),

		"Socket.address":       form(addressPattern("unix", "tcp", "tls"), "unix:///PATH, tcp://HOST:PORT or tls://HOST:PORT"),
		"SocketListener.group": form(noControl, "the name or number of a group"),
		"Syslog.address":       form(addressPattern("unixgram", "unixstream", "udp", "tcp", "tls"), "unixgram:///PATH, unixstream:///PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT"),

		"Journald.socket":     form(absolutePath, "an absolute path"),
		"Journald.identifier": with(form(noControl, "a word, like genltest"), object{"minLength": 1}),
		"JournaldField.name":  with(field, object{"not": object{"anyOf": []object{{"enum": journaldReserved}, {"pattern": "^GENLTEST_"}}}}),

		"Exec.argv":          {"prefixItems": []object{program}, "items": argument},
		"ExecVariable.name":  with(variable, object{"not": object{"pattern": "^GENLTEST_"}}),
		"ExecVariable.value": form(noNUL, "a text without NUL"),
	}
}

// form is a pattern and what an editor says of a value that is not of it.
func form(pattern, what string) object {
	return object{"pattern": pattern, "patternErrorMessage": "Write " + what + "."}
}

// orEmpty lets a form be the empty text too.
func orEmpty(s object) object {
	return with(s, object{"pattern": `^$|` + s["pattern"].(string)})
}

func with(s, more object) object {
	all := maps.Clone(s)
	maps.Copy(all, more)
	return all
}

// addressPattern is for section.checkAddress.
func addressPattern(schemes ...string) string {
	var places []string
	for _, scheme := range schemes {
		place := hostPort(false)
		if strings.HasPrefix(scheme, "unix") {
			place = `/[^` + control + `]{0,105}[^/` + control + `]` // maxSocketPath at most
		}
		places = append(places, scheme+`://`+place)
	}
	return `^` + oneOfPatterns(places) + `$`
}

// hostPort takes anything between brackets for a host. What needs no host may have the
// port 0 too.
func hostPort(anyHost bool) string {
	host, least, optional := `\[[^\[\]]+\]`, uint64(1), ""
	if anyHost {
		host, least, optional = `\[[^\[\]]*\]`, 0, "?"
	}
	return `(?:` + host + `|` + nameOfHost + `|` + ipv4 + `)` + optional + `:0*` + oneOfPatterns(digits(least, 65535))
}

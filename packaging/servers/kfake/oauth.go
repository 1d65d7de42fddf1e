// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// acceptToken makes the brokers offer only OAUTHBEARER, and accept one token. The cluster does
// not know this mechanism, so its connections are not authenticated otherwise.
func acceptToken(cluster *kfake.Cluster, token string) {
	const mechanism = "OAUTHBEARER"
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		answer.SupportedMechanisms = []string{mechanism}
		if r.(*kmsg.SASLHandshakeRequest).Mechanism != mechanism {
			answer.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
		return answer, nil, true
	})
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		text := string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		if !strings.Contains(text, "auth=Bearer "+token+"\x01") {
			answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
			message := "rejected " + text // as a careless server does
			answer.ErrorMessage = &message
		}
		return answer, nil, true
	})
}

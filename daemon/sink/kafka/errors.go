// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/genltestd/genltestd/daemon/sink"
)

// A verdict is the meaning of an error for the events of an attempt.
type verdict string

const (
	resend    verdict = "resent"      // the client sends the records again, with the same sequence numbers
	retry     verdict = "retry"       // the records are not stored; delivery sends the events again
	permanent verdict = "dead letter" // the records will never be accepted
)

// A row is the policy for one error of Kafka.
type row struct {
	err     *kerr.Error
	verdict verdict
	why     string
}

// rows is the whole policy. docs/sinks/kafka.md shows it, and a test compares the two. An
// error without a row means retry.
//
// An error about these particular records is permanent. An error about configuration,
// authorization or the state of the brokers is not.
func rows() []row {
	return []row{
		{kerr.MessageTooLarge, permanent, "too large for the topic; a batch is halved until it fits. See `max_message`"},
		{kerr.RecordListTooLarge, permanent, "as `MESSAGE_TOO_LARGE`"},
		{kerr.InvalidRecord, permanent, "the broker refuses the content, as a compacted topic refuses a record without a key"},
		{kerr.InvalidTimestamp, permanent, "the topic does not accept the time of the event: `message.timestamp.before.max.ms`, `.after.max.ms`"},
		{kerr.TopicAuthorizationFailed, retry, "the user may not write to the topic; add the ACLs `Write` and `Describe`"},
		{kerr.ClusterAuthorizationFailed, retry, "brokers before 2.8 require the ACL `IdempotentWrite` on the cluster"},
		{kerr.SaslAuthenticationFailed, retry, "the password or token is wrong or has expired; correct `sasl`"},
		{kerr.UnsupportedSaslMechanism, retry, "the broker does not offer this mechanism; correct `sasl.mechanism`"},
		{kerr.IllegalSaslState, retry, "the broker does not expect authentication at this listener; correct `addresses` or `sasl`"},
		{kerr.InvalidTopicException, retry, "the topic is not valid for this broker; correct `topic`"},
		{kerr.PolicyViolation, retry, "a policy of the broker forbids the request, such as to create this topic"},
		{kerr.UnsupportedCompressionType, retry, "the broker does not support this `compression`"},
		{kerr.UnsupportedForMessageFormat, retry, "the topic has the format of Kafka 0.10 or older, without headers"},
		{kerr.InvalidRequiredAcks, retry, "the broker does not accept `acks=all`"},
		{kerr.UnknownTopicID, resend, "the topic was deleted, and created again. Events in flight are then sent again, by another producer"},
		{kerr.InvalidProducerEpoch, resend, "the broker has forgotten the producer. The log contains a warning"},
		{kerr.OutOfOrderSequenceNumber, resend, "the broker has lost records that it acknowledged. The log contains a warning"},
		{kerr.UnknownProducerID, resend, "as `INVALID_PRODUCER_EPOCH`"},
		{kerr.UnknownTopicOrPartition, resend, "the topic does not exist yet; create it, or set `create_topic`"},
		{kerr.LeaderNotAvailable, resend, "the leader of the partition is being elected"},
		{kerr.NotLeaderForPartition, resend, "another broker leads the partition now"},
		{kerr.FencedLeaderEpoch, resend, "as `NOT_LEADER_FOR_PARTITION`"},
		{kerr.ReplicaNotAvailable, resend, "as `LEADER_NOT_AVAILABLE`"},
		{kerr.NotEnoughReplicas, resend, "fewer replicas are in sync than `min.insync.replicas`"},
		{kerr.NotEnoughReplicasAfterAppend, resend, "as `NOT_ENOUGH_REPLICAS`"},
		{kerr.RequestTimedOut, resend, "the replicas did not confirm in time"},
		{kerr.KafkaStorageError, resend, "the disk of the broker has failed or is full"},
		{kerr.ThrottlingQuotaExceeded, resend, "a quota of the broker; the client waits as long as the broker requires"},
		{kerr.CorruptMessage, retry, "the records were damaged on the way"},
	}
}

// rowOf returns the policy for an error; the zero row without one.
func rowOf(err error) row {
	for _, r := range rows() {
		if errors.Is(err, r.err) {
			return r
		}
	}
	return row{}
}

const maxError = 400 // bytes of an error of the client that are shown

// failed describes the error of an attempt. left is the number of events that were not accepted.
func (s *Sink) failed(ctx context.Context, err error, left int) error {
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		return s.unanswered(ended)
	}
	r := rowOf(err)
	text := s.where() + ": " + s.env.Mask.Clean(err.Error(), maxError) + remedy(r)
	// The next producer has another id. So a broker can never append a batch that was in flight
	// behind a refused one, even if it arrives late over a lost connection.
	s.renew = s.renew || r.verdict != permanent || s.slab.chained
	if r.verdict != permanent {
		return errors.New(text)
	}
	kind := sink.RefusedByBroker
	if r.err == kerr.MessageTooLarge || r.err == kerr.RecordListTooLarge {
		kind = sink.RefusedTooLarge
	}
	return sink.PermanentAmong(left, sink.Refusal{Kind: kind}.Mark(errors.New(text)))
}

// unanswered describes an attempt that ended without an answer. From then on the watcher
// reads the answers to single batches, until an attempt succeeds.
func (s *Sink) unanswered(ended error) error {
	s.watcher.detailed.Store(true)
	text := fmt.Sprintf("%s: no answer in time for %d events, which stay in flight", s.where(), s.window.InFlight())
	fault := s.watcher.last()
	if fault != nil {
		text += ": " + s.env.Mask.Clean(fault.Error(), maxError) + remedy(rowOf(fault))
	}
	return sink.WithText(text, errors.Join(ended, sink.Untrusted(fault)))
}

func remedy(r row) string {
	if r.why == "" {
		return ""
	}
	return " (" + strings.ReplaceAll(r.why, "`", "") + ")"
}

// where names the cluster in errors.
func (s *Sink) where() string {
	text := "kafka " + string(s.config.Addresses[0])
	if n := len(s.config.Addresses); n > 1 {
		text += fmt.Sprintf(" and %d more", n-1)
	}
	if s.config.SASL.User != "" {
		text += fmt.Sprintf(", user %q", s.config.SASL.User)
	}
	return text
}

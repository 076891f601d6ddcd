"""What went wrong between us and Kafka, in one sentence with what to do about it."""

from __future__ import annotations

import asyncio

from aiokafka import errors

#: What is behind an error of aiokafka; the first that fits counts, so the particular comes before the general.
_SENTENCES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    (
        (errors.ProducerFenced, errors.InvalidProducerEpoch, errors.TransactionCoordinatorFenced),
        "another worker has taken over what this one was writing",
    ),
    (
        (errors.MessageSizeTooLargeError, errors.RecordTooLargeError, errors.RecordListTooLargeError),
        "a record is larger than its topic takes: raise max.message.bytes of the topic",
    ),
    (
        (errors.NotEnoughReplicasError, errors.NotEnoughReplicasAfterAppendError),
        "too few copies of a partition are alive: start the missing brokers, or lower the topic's min.insync.replicas",
    ),
    (
        (errors.TopicAuthorizationFailedError,),
        "the login may not use a topic: give it the right to read and write it",
    ),
    ((errors.GroupAuthorizationFailedError,), "the login may not use the consumer group: give it the right to read it"),
    (
        (errors.TransactionalIdAuthorizationFailed,),
        "the login may not write in transactions: give it the right to write under transactional ids of app.id",
    ),
    ((errors.ClusterAuthorizationFailedError,), "the login may not do this in the cluster: give it the right to"),
    (
        (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError),
        "Kafka refuses the login: mend username, password or sasl_mechanism in kafka.security",
    ),
    ((errors.KafkaStorageError,), "a broker cannot write to its disk: see whether it is full"),
    ((errors.UnknownTopicOrPartitionError,), "a topic or partition does not exist: create it with `segstream topics`"),
    (
        (errors.RequestTimedOutError, errors.KafkaTimeoutError, asyncio.TimeoutError),
        "Kafka did not answer in time",
    ),
    (
        (
            errors.GroupCoordinatorNotAvailableError,
            errors.NotCoordinatorForGroupError,
            errors.GroupLoadInProgressError,
            errors.NotLeaderForPartitionError,
            errors.LeaderNotAvailableError,
            errors.StaleMetadata,
        ),
        "Kafka is moving a partition from one broker to another",
    ),
    ((errors.KafkaConnectionError, errors.NodeNotReadyError, ConnectionError), "a broker cannot be reached"),
)


def explained(error: BaseException) -> str:
    """The error in words, with its name; what is not known here is told as it is."""
    name = type(error).__name__
    for kinds, sentence in _SENTENCES:
        if isinstance(error, kinds):
            return f"{sentence} ({name})"
    text = " ".join(str(error).split())
    return f"{name}: {text}" if text else name

"""A question that is not answered, and why."""

from __future__ import annotations

from aiokafka.errors import KafkaError

from stream.kafka.explained import explained
from stream.kafka.reader import SilentError, StoppedError

#: What may come of reading from Kafka for whoever asks.
UNREADABLE = (KafkaError, OSError, SilentError, StoppedError)


class RefusalError(Exception):
    """Ends a request with a status and one sentence for whoever asked; ``headers`` go with the answer."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


def unread(error: Exception) -> RefusalError:
    """The refusal where Kafka could not be read."""
    if isinstance(error, StoppedError):
        return RefusalError(503, "the worker is ending: ask another one")
    return RefusalError(503, f"Kafka does not answer: {explained(error)}")

"""Customers who are forgotten, because they asked for it or were silent for too long: the receipt, as a CloudEvent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson

from stream.engine.change import cloud_event, cloud_headers
from stream.engine.run import Run
from stream.events.batch import FORGET, REPEATED
from stream.events.columns import CustomerIds
from stream.events.text import id_hash

TYPE = "segstream.customer.forgotten"
#: How many of a shard's latest requests are remembered, to drop retries.
REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Nothing is known of a customer any more from this instant on (event time, milliseconds).

    ``reason`` is ``asked`` or ``dormant``; ``segments`` are those that they were in by dimension, empty where nothing
    was known; ``message_id`` that of the event that asked; ``after``: so many changes of the same step came before.
    """

    customer: bytes
    at_ms: int
    reason: str
    message_id: str | None
    after: int
    segments: dict[str, str | None] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """The customer's id, the key of the record."""
        return self.customer

    @property
    def subject(self) -> str:
        """The customer's id as text."""
        return self.customer.decode("utf-8", "surrogatepass")

    @property
    def id(self) -> str:
        """From customer, reason, instant and message alone, so that a reader can tell a repetition."""
        message = (self.message_id or "").encode("utf-8", "surrogatepass")
        what = b"\0".join((self.customer, self.reason.encode(), b"%d" % self.at_ms, message))
        return blake2b(what, digest_size=16).hexdigest()

    def payload(self) -> dict[str, Any]:
        """The ``data`` of the CloudEvent."""
        return {"reason": self.reason, "segments": self.segments, "messageId": self.message_id}

    def data(self) -> bytes:
        """The value of the record in Kafka (binary content mode)."""
        return orjson.dumps(self.payload())

    def headers(self) -> list[tuple[str, bytes]]:
        """The attributes as headers of the record (binary content mode)."""
        return cloud_headers(TYPE, self.id, self.customer, self.at_ms)

    def cloud_event(self) -> bytes:
        """The whole receipt as one line of JSON (structured content mode)."""
        return cloud_event(TYPE, self.id, self.subject, self.at_ms, self.payload())


class Requests:
    """The latest requests to be forgotten, each as one hash of its customer and its message id together: a retry must
    not forget a customer who came back meanwhile, and of two customers asked for in one name both are forgotten."""

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self.hashes = list(hashes)

    def mark_repeated(self, run: Run, customers: CustomerIds, messages: Any) -> None:
        """Mark the run's requests that were heard before, also in the run itself, as such."""
        heard = set(self.hashes)
        for k in run.of_code(FORGET):
            request = _hash(customers[k], messages[k])
            if request in heard:
                run.codes[k] = REPEATED
            heard.add(request)

    def heard(self, run: Run, customers: CustomerIds, messages: Any, applied: Any) -> None:
        """Remember the requests that were applied."""
        asked = np.flatnonzero((run.codes == FORGET) & applied).tolist()
        self.hashes = [*self.hashes, *(_hash(customers[k], messages[k]) for k in asked)][-REMEMBERED:]


def _hash(customer: bytes | None, message: Any) -> int:
    return id_hash(b"%d %b" % (message, customer or b""))

"""The internal topic of questions: what shards knew of customers at their turns, for the trainers of predictions.

Key: the hash of the customer's id, 8 bytes. Value: d + 4 float64, little endian: what is learned from, and what is
told beside (:data:`stream.features.propensity.BESIDE`). Headers: `instant` (event time in ms), `prediction` (which one,
with a hash of what it means) and `shard` (whose customer it is; where it is missing, 0).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from stream.engine.output import Asked as AskedByShard
from stream.features.propensity import BESIDE
from stream.predict.settling import Asked

_INSTANT = struct.Struct(">q")
_SHARD = struct.Struct(">i")
_FLOAT = np.dtype("<f8")

#: Key, value and headers of a record.
Record = tuple[bytes, bytes, list[tuple[str, bytes]]]


class QuestionRecord(Protocol):
    """What is read of a consumed record."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def encode(asked: AskedByShard) -> Iterator[Record]:
    """The records of some questions, in their order."""
    headers = [("prediction", asked.kind.encode()), ("shard", _SHARD.pack(asked.shard))]
    rows = zip(asked.customers.tolist(), asked.instants.tolist(), asked.values.astype(_FLOAT), strict=True)
    for customer, instant, values in rows:
        yield _INSTANT.pack(customer), values.tobytes(), [("instant", _INSTANT.pack(instant)), *headers]


def kind_of(record: QuestionRecord) -> str:
    """Which prediction a record is of; empty where it does not say."""
    return dict(record.headers).get("prediction", b"").decode("utf-8", "replace")


def decode(record: QuestionRecord, features: int) -> Asked | None:
    """The question in a record, or None where it is none of so many features."""
    headers, key, value = dict(record.headers), record.key or b"", record.value or b""
    instant, shard = headers.get("instant", b""), headers.get("shard", bytes(_SHARD.size))
    if (
        len(instant) != _INSTANT.size
        or len(shard) != _SHARD.size
        or len(key) != _INSTANT.size
        or len(value) != _FLOAT.itemsize * (features + BESIDE)
    ):
        return None
    values = np.frombuffer(value, _FLOAT).astype(np.float64)
    customer, at = int(_INSTANT.unpack(key)[0]), int(_INSTANT.unpack(instant)[0])
    return Asked.of(customer, at, values, int(_SHARD.unpack(shard)[0]))

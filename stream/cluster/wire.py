"""The internal topic of feature vectors: customers' values at an instant, sampled by the shards for the trainer.

Key: the customer. Value: d float64, little endian. Headers: `instant` (event time in ms) and `layout` (which features).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_INSTANT = struct.Struct(">q")
_FLOAT = np.dtype("<f8")


class VectorRecord(Protocol):
    """What is read of a consumed record."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def layout_of(features: Sequence[str]) -> bytes:
    """8 bytes that tell one list of features from another, although both may be of one length."""
    return hashlib.blake2b("\n".join(features).encode(), digest_size=8).digest()


def encode_value(vector: NDArray[np.float64]) -> bytes:
    """The value of a record: the vector (d,) as bytes."""
    return vector.astype(_FLOAT, copy=False).tobytes()


def encode_headers(instant_ms: int, layout: bytes) -> list[tuple[str, bytes]]:
    """The headers of a record."""
    return [("instant", _INSTANT.pack(instant_ms)), ("layout", layout)]


def decode(record: VectorRecord, features: Sequence[str], layout: bytes) -> tuple[int, NDArray[np.float64]] | None:
    """Instant (ms) and vector (d,) of a record, or None where it is not a vector of these features.

    After a change of the definitions the topic still holds vectors of the former features; they teach nothing now.
    """
    headers = dict(record.headers)
    instant = headers.get("instant", b"")
    value = record.value or b""
    if len(instant) != _INSTANT.size or len(value) != _FLOAT.itemsize * len(features):
        return None
    if headers.get("layout", layout) != layout:
        return None
    return int(_INSTANT.unpack(instant)[0]), np.frombuffer(value, _FLOAT).astype(np.float64, copy=False)

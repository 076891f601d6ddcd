"""What a batch knows of its records as text: as bytes in columns, made into objects only where one is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class MessageIds:
    """Message ids that lie in a buffer of bytes: ``spans`` int64 (n, 2); others are set."""

    def __init__(self, buffer: bytes, spans: NDArray[np.int64]) -> None:
        self._buffer, self._spans = buffer, spans
        self._given: dict[int, str] = {}

    def __getitem__(self, i: int, /) -> str:
        first, last = self._spans[i].tolist()
        return self._given.get(i) or self._buffer[first:last].decode()

    def __setitem__(self, i: int, text: str, /) -> None:
        self._given[i] = text

    def utf8(self, picks: list[int]) -> list[bytes]:
        """Some of them, as UTF-8."""
        buffer = self._buffer
        found = [buffer[first:last] for first, last in self._spans[picks].tolist()]
        if self._given:
            found = [self._given[i].encode() if i in self._given else own for i, own in zip(picks, found, strict=True)]
        return found


def utf8_of(texts: Any, picks: list[int]) -> list[bytes]:
    """The texts (message ids or names of events) of some records of a batch, as UTF-8."""
    if isinstance(texts, MessageIds):
        return texts.utf8(picks)
    return [texts[i].encode() for i in picks]


class EventNames:
    """Names of events by their numbers in a list; others are set."""

    def __init__(self, names: Sequence[str], numbers: NDArray[np.int64]) -> None:
        self._names, self._numbers = names, numbers
        self._given: dict[int, str] = {}

    def __getitem__(self, i: int, /) -> str:
        return self._given.get(i) or self._names[self._numbers[i]]

    def __setitem__(self, i: int, text: str, /) -> None:
        self._given[i] = text


class CustomerIds:
    """The customer's id (UTF-8) of each record: bytes of ``data`` (uint8) from ``spans[i, 0]`` up to ``spans[i, 1]``
    (int64); None where these are equal, for nobody's id is empty."""

    def __init__(self, data: NDArray[np.uint8], spans: NDArray[np.int64]) -> None:
        self.data, self.spans = data, spans

    @classmethod
    def none(cls, count: int) -> CustomerIds:
        """Of so many records that have no customer."""
        return cls(np.zeros(0, np.uint8), np.zeros((count, 2), np.int64))

    @classmethod
    def of(cls, customers: Sequence[bytes | None]) -> CustomerIds:
        """Of these customers."""
        ends = np.zeros(len(customers) + 1, np.int64)
        np.cumsum([0 if one is None else len(one) for one in customers], out=ends[1:])
        data = bytearray().join(filter(None, customers))
        return cls(np.frombuffer(data or bytearray(1), np.uint8), np.column_stack((ends[:-1], ends[1:])))

    @classmethod
    def joined(cls, parts: Sequence[CustomerIds]) -> CustomerIds:
        """Of several batches, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        shifts = np.cumsum([0, *(len(one.data) for one in parts)])
        spans = [one.spans + shift for one, shift in zip(parts, shifts[:-1], strict=True)]
        return cls(np.concatenate([one.data for one in parts]), np.concatenate(spans))

    def put(self, customers: dict[int, bytes]) -> None:
        """The customers of these records are others than was known."""
        if not customers:
            return
        picks, ids = list(customers), list(customers.values())
        stops = len(self.data) + np.cumsum(np.fromiter(map(len, ids), np.int64, len(ids)))
        self.spans[picks, 1] = stops
        self.spans[picks[1:], 0], self.spans[picks[0], 0] = stops[:-1], len(self.data)
        self.data = np.concatenate((self.data, np.frombuffer(b"".join(ids), np.uint8)))

    @property
    def given(self) -> NDArray[np.bool_]:
        """Whether there is one."""
        known: NDArray[np.bool_] = self.spans[:, 1] > self.spans[:, 0]
        return known

    def some(self, picks: NDArray[np.int64]) -> list[bytes]:
        """The ids of these, empty where there is none."""
        data = self.data.data
        return [bytes(data[first:last]) for first, last in self.spans[picks].tolist()]

    def __getitem__(self, i: int, /) -> bytes | None:
        first, last = self.spans[i].tolist()
        return self.data[first:last].tobytes() if last > first else None

    def __len__(self) -> int:
        return len(self.spans)

    def __iter__(self) -> Iterator[bytes | None]:
        data = self.data.tobytes()
        return (data[first:last] if last > first else None for first, last in self.spans.tolist())

"""Many records as columns of bytes, so that what is written of a hundred thousand customers is no hundred thousand
objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, pairwise
from typing import overload

import numpy as np
import orjson
from numpy.typing import NDArray

#: A key, and a value or None.
Pair = tuple[bytes, bytes | None]


def array_of(data: bytes | bytearray) -> NDArray[np.uint8]:
    """The bytes as an array; writable, since kernels are compiled for arrays that are."""
    return np.frombuffer(bytearray(data) if isinstance(data, bytes) else data, np.uint8) if data else no_bytes()


def no_bytes() -> NDArray[np.uint8]:
    """An array of none."""
    return np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True)
class Column:
    """Texts one behind the other in ``data``: the k-th is from ``ends[k]`` up to ``ends[k + 1]``."""

    data: NDArray[np.uint8]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Column:
        """Of as many texts."""
        ends = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=ends[1:])
        return cls(array_of(bytearray().join(texts)), ends)

    @classmethod
    def joined(cls, columns: Sequence[Column]) -> Column:
        """Of several columns, one behind the other."""
        if len(columns) == 1:
            return columns[0]
        shifts = np.cumsum([0, *(one.ends[-1] for one in columns)])
        parts = [one.ends[1:] + shift for one, shift in zip(columns, shifts[:-1], strict=True)]
        ends = np.concatenate((np.zeros(1, np.int64), *parts))
        return cls(np.concatenate([no_bytes(), *(one.data[: one.ends[-1]] for one in columns)]), ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __iter__(self) -> Iterator[bytes]:
        data, ends = self.data.tobytes(), self.ends.tolist()
        return (data[start:stop] for start, stop in pairwise(ends))


def json_texts(texts: Column) -> Column:
    """Texts (UTF-8) as JSON has them, in quotes."""
    data = texts.data
    if len(data) and (((data < 32) | (data >= 128)).any() or (data == 34).any() or (data == 92).any()):
        return Column.of([orjson.dumps(text.decode("utf-8", "surrogatepass")) for text in texts])
    starts, stops = texts.ends[:-1], texts.ends[1:]
    shift = 2 * np.arange(len(texts))
    out = np.full(int(texts.ends[-1]) + 2 * len(texts), 34, np.uint8)
    inside = np.ones(len(out), bool)
    inside[starts + shift], inside[stops + shift + 1] = False, False
    out[inside] = data[: texts.ends[-1]]
    return Column(out, np.concatenate((np.zeros(1, np.int64), stops + shift + 2)))


NO_TEXTS = Column(no_bytes(), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Records:
    """Records with a key each.  ``absent`` uint8: 1 where there is no value; ``headers`` as they are on the wire, their
    count first; ``NO_TEXTS`` where no record has any.  ``before``: what every key, and every value, begins with."""

    keys: Column
    values: Column
    absent: NDArray[np.uint8]
    headers: Column = field(default=NO_TEXTS)
    before: tuple[bytes, bytes] = (b"", b"")

    @classmethod
    def of(cls, pairs: Sequence[tuple[bytes, bytes | None]]) -> Records:
        """Of keys and values, without headers."""
        keys, values = [key for key, _ in pairs], [value for _, value in pairs]
        absent = np.fromiter((value is None for value in values), np.uint8, len(values))
        return cls(Column.of(keys), Column.of([value or b"" for value in values]), absent)

    @classmethod
    def joined(cls, some: Sequence[Records]) -> Records:
        """Of several that begin alike and have no headers, one behind the other."""
        if len(some) == 1:
            return some[0]
        keys, values = (Column.joined([getattr(one, part) for one in some]) for part in ("keys", "values"))
        return cls(keys, values, np.concatenate([one.absent for one in some]), before=some[0].before)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Pair]:
        """Key and value of each."""
        key_before, before = self.before
        columns = zip(self.keys, self.values, self.absent.tolist(), strict=True)
        return ((key_before + key, None if absent else before + value) for key, value, absent in columns)

    def columns(self) -> tuple[NDArray[np.uint8] | NDArray[np.int64], ...]:
        """Keys, values, absence, headers and ``before`` as arrays, in the order in which kernels take them."""
        return (
            self.keys.data,
            self.keys.ends,
            self.values.data,
            self.values.ends,
            self.absent,
            self.headers.data,
            self.headers.ends,
            *map(array_of, self.before),
        )


class AtRest(Sequence[Pair]):
    """Records in the order in which they are written, added one by one or many at once."""

    def __init__(self) -> None:
        self._parts: list[list[Pair] | Records] = []

    def append(self, pair: Pair) -> None:
        """One more."""
        self += [pair]

    def __iadd__(self, more: Iterable[Pair]) -> AtRest:
        """More of them; Records are kept as they are."""
        if isinstance(more, Records):
            self._parts.append(more)
        elif self._parts and isinstance(self._parts[-1], list):
            self._parts[-1] += more
        else:
            self._parts.append(list(more))
        return self

    def put_first(self, pairs: Iterable[Pair]) -> None:
        """These are written before all others."""
        self._parts.insert(0, list(pairs))

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[Pair]:
        return chain.from_iterable(self._parts)

    @overload
    def __getitem__(self, at: int) -> Pair: ...
    @overload
    def __getitem__(self, at: slice) -> list[Pair]: ...
    def __getitem__(self, at: int | slice) -> Pair | list[Pair]:
        return list(self)[at]

    def records(self) -> list[Records]:
        """All of them in their order, as many at once as can be."""
        found: list[Records] = []
        for before, some in groupby(self._parts, key=lambda part: part.before if isinstance(part, Records) else None):
            if before is None:
                found.append(Records.of([pair for part in some for pair in part]))
            else:
                found.append(Records.joined([one for one in some if isinstance(one, Records)]))
        return [one for one in found if len(one)]

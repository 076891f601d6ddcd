"""A decoded batch: the records of one fetch of one topic partition, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.events.columns import CustomerIds

#: Codes of records that are not events of the plan (which count from 0).
IGNORED, REJECTED, CONTROL, REKEYED, REPEATED = -1, -2, -3, -4, -5
#: The code of an event that asks to forget its customer: beyond all codes of a plan, whatever that is.
FORGET = 1 << 20


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be applied, and why: ``reason`` is a word to count by, ``detail`` a sentence for people."""

    reason: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    detail: str


class Texts(Protocol):
    """Texts by the number of their record; a list, or one that makes them when they are asked for."""

    def __getitem__(self, i: int, /) -> str: ...
    def __setitem__(self, i: int, text: str, /) -> None: ...


@dataclass(slots=True)
class Batch:
    """n records from ``lo`` up to ``hi`` (fetch positions), in log order.

    ``offsets``, ``codes``, ``instants`` and ``messages`` (hashes of message ids) are int64 (n); ``instants`` of
    rejected records are ``NEVER``.  ``customers`` has the customer's id as UTF-8, or None; ``names`` and ``ids`` the
    event's name and message id, for evidence.  ``numbers`` float64 (n, inputs), ``texts`` int64 (n, inputs), ``first``
    int64 (n + 1) into ``items`` int64 (m, 4 and more), ``offers`` int64 (n): see :class:`stream.plan.header.Events`.
    ``timestamps`` int64 (n): the records' own.  ``records`` are what was decoded, for whoever sends one on.
    ``at_ms`` is a wall instant before which they could be read, ``answer`` the answer that brought them (a broker's to
    one consumer, and its number; 0: none); ``keys`` the merge keys where the caller sets them (else the running
    maximum of the topic partition's instants).  ``schema`` is what the decoder was to read: a plan that reads something
    else decodes ``records`` again.  ``named``: the texts behind the hashes.
    """

    topic: str
    partition: int
    lo: int
    hi: int
    offsets: NDArray[np.int64]
    codes: NDArray[np.int64]
    instants: NDArray[np.int64]
    messages: NDArray[np.int64]
    customers: CustomerIds
    names: Texts
    ids: Texts
    numbers: NDArray[np.float64]
    texts: NDArray[np.int64]
    first: NDArray[np.int64]
    items: NDArray[np.int64]
    offers: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    at_ms: int = 0
    answer: tuple[int, int] = (0, 0)
    keys: NDArray[np.int64] | None = None
    records: Sequence[Any] = ()
    dead: dict[int, DeadLetter] = field(default_factory=dict)
    controls: dict[int, Any] = field(default_factory=dict)
    schema: Any = None
    named: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.codes)

"""The events of W1 and W2, and what must come of them, worked out from the same numbers without any stream processor.

Every event belongs to a random customer, so that nearly all events of a poll are of different customers.  Amounts are
multiples of a quarter: their sums are exact in binary, whoever adds them up and in whatever order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stream.kafka.partitions import partition_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_767_225_600_000  # 2026-01-01
#: Between the first event and the last, however many there are.
DAYS = 120
#: How many events a customer has on average, however many customers there are.
EVENTS_A_CUSTOMER = 25
ORDER = "Order Completed"
NAMES = ("Product Viewed", "Products Searched", "Product Added", "Cart Viewed", ORDER)
SHARES = (0.6, 0.12, 0.1, 0.08, 0.1)
#: Days without an order after which a customer is at risk, and orders within that time that make a frequent buyer.
ABSENCE_MS = 30 * DAY_MS
FREQUENT = 3
_CHUNK = 50_000

#: What W1 asks of a customer: events, money spent, instant of the last event.
Totals = tuple[int, float, int]
#: A change of W2: customer, from, to, instant.
Move = tuple[str, str | None, str, int]


@dataclass(frozen=True)
class Events:
    """So many events, the same for the same seed. The last of each partition, at ``end_ms``, lets every timer fire.

    With ``people``, there are so many customers, and each has one event before anyone has a second.
    """

    count: int
    partitions: int
    seed: int = 1
    people: int = 0
    days: int = DAYS

    @property
    def customers(self) -> int:
        """How many customers there are to draw from."""
        return self.people or max(10, self.count // EVENTS_A_CUSTOMER)

    @property
    def end_ms(self) -> int:
        """The instant of the last events."""
        return START_MS + self.days * DAY_MS

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """The customer of each event; the last event of each partition is of one who does nothing else."""
        drawn = np.random.default_rng(self.seed).integers(0, self.customers, self.count)
        drawn[: self.people] = np.arange(min(self.people, self.count))
        drawn[-self.partitions :] = [self._closer(partition) for partition in range(self.partitions)]
        return drawn

    @cached_property
    def instants(self) -> NDArray[np.int64]:
        """In ascending order; the last come after a pause, so that coarse timers fire too."""
        random = np.random.default_rng(self.seed + 1)
        drawn = np.sort(random.integers(START_MS, self.end_ms - HOUR_MS, self.count))
        drawn[-self.partitions :] = self.end_ms
        return drawn

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """The index of each event's name."""
        drawn = np.random.default_rng(self.seed + 2).choice(len(NAMES), self.count, p=SHARES)
        drawn[-self.partitions :] = 0
        return drawn

    @cached_property
    def quarters(self) -> NDArray[np.int64]:
        """What each event is about, in quarters of the currency."""
        return np.random.default_rng(self.seed + 3).integers(4, 2_000, self.count)

    def _closer(self, partition: int) -> int:
        number = self.customers
        while self.partition(number) != partition:
            number += 1
        return number

    def partition(self, customer: int) -> int:
        """Where a customer's events go."""
        return partition_of(key_of(customer), self.partitions)

    def records(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Partition, key and value of each event."""
        homes = {int(customer): self.partition(int(customer)) for customer in np.unique(self.owners)}
        for at in range(0, self.count, _CHUNK):
            part = slice(at, at + _CHUNK)
            stamps = np.datetime_as_string(self.instants[part].astype("M8[ms]"), unit="ms").tolist()
            columns = (self.owners[part], self.kinds[part], self.quarters[part])
            for i, (owner, kind, quarters) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
                yield homes[owner], key_of(owner), _event(at + i, owner, NAMES[kind], stamps[i], quarters / 4)

    def totals(self) -> dict[str, Totals]:
        """The answer to W1."""
        counts = np.bincount(self.owners)
        spent = np.bincount(self.owners, np.where(self.kinds == NAMES.index(ORDER), self.quarters, 0) / 4)
        last = np.zeros(len(counts), np.int64)
        np.maximum.at(last, self.owners, self.instants)
        return {f"c{i}": (int(counts[i]), float(spent[i]), int(last[i])) for i in np.flatnonzero(counts).tolist()}

    def moves(self) -> set[Move]:
        """The answer to W2: every customer's changes up to ``end_ms``."""
        orders: dict[int, list[int]] = {}
        first: dict[int, int] = {}
        is_order = self.kinds == NAMES.index(ORDER)
        triples = zip(self.owners.tolist(), self.instants.tolist(), is_order.tolist(), strict=True)
        for owner, instant, ordered in triples:
            first.setdefault(owner, instant)
            if ordered:
                orders.setdefault(owner, []).append(instant)
        return {
            (f"c{owner}", *step)
            for owner, seen in first.items()
            for step in _lifecycle(seen, orders.get(owner, []), self.end_ms)
        }


def _lifecycle(seen: int, orders: list[int], end_ms: int) -> Iterator[tuple[str | None, str, int]]:
    """One customer's changes, from the instants of the first event and of all orders."""
    segment: str | None = None
    if not orders or seen < orders[0]:
        yield None, "prospect", seen
        segment = "prospect"
    for i, instant in enumerate(orders):
        recent = sum(1 for other in orders[: i + 1] if other > instant - ABSENCE_MS)
        target = "frequent" if segment == "frequent" or recent >= FREQUENT else "active"
        if target != segment:
            yield segment, target, instant
            segment = target
        absent = instant + ABSENCE_MS
        following = orders[i + 1] if i + 1 < len(orders) else end_ms
        if absent <= following:
            yield segment, "at-risk", absent
            segment = "at-risk"


def key_of(customer: int) -> bytes:
    """The customer's id, which is also the key of the record."""
    return b"c%d" % customer


def _event(number: int, owner: int, name: str, stamp: str, amount: float) -> bytes:
    """An event of the Segment specification, some 350 bytes long."""
    what = f'"order_id":"o{number}","total":{amount}' if name == ORDER else f'"price":{amount}'
    return (
        f'{{"messageId":"m{number}","type":"track","userId":"c{owner}","event":"{name}","timestamp":"{stamp}Z",'
        f'"context":{{"library":{{"name":"web","version":"3.2.0"}},"page":{{"path":"/p/{number % 997}",'
        f'"referrer":"/c/{number % 31}"}},"locale":"en-GB"}},'
        f'"properties":{{"product_id":"p{number % 4999}",{what},"currency":"EUR","category":"k{number % 23}"}}}}'
    ).encode()

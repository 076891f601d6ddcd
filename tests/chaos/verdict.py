"""What a reader of committed records saw, beside what a replay makes of the same events and versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.stage import Stage
from tests.e2e.live import Change, by_customer, read_changes

#: The type of a change; all others are receipts.
CHANGED = "segstream.segment.changed"


@dataclass(frozen=True)
class Verdict:
    """Changes by what became of them; all but ``events``, ``changes`` and ``forgotten`` must be 0.

    ``lost``: ids that a replay has and nobody saw.  ``twice``: seen more than once.  ``unknown``: ids that no replay
    has.  ``other``: seen with another content.  ``disordered``: customers whose changes came in another order.
    ``books``: by how many records the shards' books differ from the replay's, or from what was sent.  ``latest``:
    customers of whom customer-segments tells something else than their last changes do.  ``dead``: dead letters that
    are missing, or there more than once.  ``receipts``: what is wrong with those of the customers who were forgotten.
    """

    events: int
    changes: int
    forgotten: int
    lost: int
    twice: int
    unknown: int
    other: int
    disordered: int
    books: int
    latest: int
    dead: int
    receipts: int

    @property
    def wrong(self) -> dict[str, int]:
        """What should be 0, and is not."""
        return {name: n for name, n in vars(self).items() if n and name not in ("events", "changes", "forgotten")}

    @property
    def exact(self) -> bool:
        """Everything once, as it should be, in order, and in the books."""
        return not self.wrong


def judge(stage: Stage, found: Mapping[str, int]) -> Verdict:
    """The verdict on a run that is finished, and what its books say."""
    told, books = stage.expected()
    expected = [one for one in told if one["type"] == CHANGED]
    receipts = [one for one in told if one["type"] != CHANGED]
    customers = {change["subject"] for change in expected}
    rejected = sum(number for outcome, number in books.items() if outcome.startswith("rejected_"))
    return Verdict(
        events=stage.events,
        changes=len(expected),
        forgotten=len(receipts),
        **compare(read_changes(stage.live, len(expected)), expected),
        books=difference(found, books) + abs(books["read"] - stage.events),
        latest=stale(stage.latest(len(customers)), told),
        dead=missing_or_twice(stage.dead(), rejected),
        receipts=sum(compare(read_changes(stage.live, len(receipts), "forgotten"), receipts).values()),
    )


def compare(seen: Sequence[Change], expected: Sequence[Change]) -> dict[str, int]:
    """What is wrong with what was seen, change by change, id by id, and in each customer's order."""
    should = {change["id"]: change for change in expected}
    count = Counter(change["id"] for change in seen)
    order = {customer: [c["id"] for c in changes] for customer, changes in by_customer(list(expected)).items()}
    came = {customer: [c["id"] for c in changes] for customer, changes in by_customer(list(seen)).items()}
    return {
        "lost": sum(1 for id_ in should if id_ not in count),
        "twice": sum(1 for n in count.values() if n > 1),
        "unknown": sum(1 for id_ in count if id_ not in should),
        "other": sum(1 for change in seen if change["id"] in should and change != should[change["id"]]),
        "disordered": sum(
            1 for customer, ids in came.items() if ids != [id_ for id_ in order.get(customer, ()) if id_ in count]
        ),
    }


def difference(books: Mapping[str, int], expected: Mapping[str, int]) -> int:
    """By how many records two books differ."""
    return sum(abs(books.get(outcome, 0) - expected.get(outcome, 0)) for outcome in {*books, *expected})


def stale(latest: Mapping[str, Mapping[str, Any]], expected: Sequence[Change]) -> int:
    """Of how many customers the latest segments and sequence are not those of their last changes since they were
    forgotten."""
    segments: dict[str, dict[str, str]] = {}
    last: dict[str, int] = {}
    for change in expected:
        if change["type"] != CHANGED:
            segments.pop(change["subject"], None)
            last.pop(change["subject"], None)
            continue
        mine = segments.setdefault(change["subject"], {})
        mine.pop(change["data"]["dimension"], None)
        if change["data"]["to"] is not None:
            mine[change["data"]["dimension"]] = change["data"]["to"]
        last[change["subject"]] = change["data"]["sequence"]
    told = {
        who: ({d: s for d, s in one["segments"].items() if s is not None}, one["sequence"])
        for who, one in latest.items()
    }
    should = {who: (segments[who], last[who]) for who in last}
    return sum(1 for who in {*told, *should} if told.get(who) != should.get(who))


def missing_or_twice(dead: Sequence[tuple[str, str, str]], expected: int) -> int:
    """How many dead letters are too few, or of a record that has one already."""
    return abs(len(set(dead)) - expected) + len(dead) - len(set(dead))

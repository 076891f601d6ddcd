"""What a reader of committed records saw, beside what a replay makes of the same events and versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.live import Change, by_customer


@dataclass(frozen=True)
class Verdict:
    """Changes by what became of them; all but ``changes`` and ``customers`` must be 0.

    ``lost``: ids that a replay has and nobody saw.  ``twice``: seen more than once.  ``unknown``: ids that no replay
    has.  ``other``: seen with another content.  ``disordered``: customers whose changes came in another order.
    """

    changes: int
    customers: int
    lost: int
    twice: int
    unknown: int
    other: int
    disordered: int

    @property
    def exact(self) -> bool:
        """Everything once, as it should be, in order."""
        return not (self.lost or self.twice or self.unknown or self.other or self.disordered)


def compare(seen: Sequence[Change], expected: Sequence[Change]) -> Verdict:
    """Judge what was seen, change by change, id by id."""
    should = {change["id"]: change for change in expected}
    count = Counter(change["id"] for change in seen)
    is_right = {change["id"]: change == should.get(change["id"]) for change in seen}
    order = {customer: [c["id"] for c in changes] for customer, changes in by_customer(list(expected)).items()}
    came = {customer: [c["id"] for c in changes] for customer, changes in by_customer(list(seen)).items()}
    return Verdict(
        len(expected),
        len(order),
        sum(1 for id_ in should if id_ not in count),
        sum(1 for n in count.values() if n > 1),
        sum(1 for id_ in count if id_ not in should),
        sum(1 for id_, right in is_right.items() if id_ in should and not right),
        sum(1 for customer, ids in came.items() if ids != [i for i in order.get(customer, ()) if i in set(ids)]),
    )

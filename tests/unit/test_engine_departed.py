"""What stays of customers who are forgotten for doing nothing: they left, and lifetimes are learned from them too."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from stream.engine.departed import DAY, DEPARTED, LAST_DAYS, Departed
from stream.predict.measuring import histories_of
from tests.shards import Driver, event, logs, plan_of

HABIT = {
    "dimension": "habit",
    "features": {"alive": {"alive": "Order Completed"}, "visits": {"count": "Page Viewed"}},
    "segments": [{"segment": "gone", "when": "alive < 0.2"}, {"segment": "here", "when": "visits >= 0"}],
}
DORMANT = 400 * DAY
START = 20_000 * DAY
UNTIL = START + 1_000 * DAY


def orders(customer: str, *days: float) -> list[dict[str, Any]]:
    """Orders of a customer, so many days after the start."""
    return [event(customer, "Order Completed", START + int(day * DAY), order_id=f"{customer}{day}") for day in days]


def history() -> list[dict[str, Any]]:
    """Two who leave at once, one who leaves after a year, one who asks to be forgotten, one who never bought, one who
    stays, and one who comes back after having been forgotten."""
    events = [
        *orders("once", 0),
        *orders("likewise", 3),
        *orders("year", *range(0, 365, 30)),
        *orders("asked", 1, 9),
        event("asked", "User Deleted", START + 10 * DAY),
        event("looker", "Page Viewed", START),
        *orders("stays", *range(2, 1_000, 100)),
        *orders("back", 0, 40, 700),
    ]
    return sorted(events, key=lambda one: one["timestamp"])


def driver() -> Driver:
    return Driver(plan_of(HABIT), logs(history(), UNTIL), dormant_after=DORMANT)


def groups(shard: Any) -> list[tuple[int, ...]]:
    """Purchases, days from the first to the last, day of the last, customers."""
    columns = shard.memory.departed.columns(shard.plan.lifetime.of)
    return [(n, (last - first) // DAY, last // DAY, many) for n, first, last, many in zip(*columns, strict=True)]


def test_who_falls_silent_stays_counted_and_who_asked_does_not() -> None:
    """Alike ones together; the last purchase to the month, the rest to a tenth at most; a customer who never bought, or
    who was not forgotten, is in no group."""
    found = groups(driver().finish().shard)
    assert [row[:2] for row in found] == [(1, 0), (2, 40), (14, 352)]
    assert found[0][3] == 2
    assert sum(row[3] for row in found) == 4
    assert all(abs(row[2] - when) <= LAST_DAYS / 2 for row, when in zip(found, (20_001, 20_040, 20_360), strict=True))


def test_neither_batches_nor_restarts_count_anybody_twice() -> None:
    """Each is counted in the transaction that forgets them."""
    plain = groups(driver().finish().shard)
    for seed in range(4):
        one = driver().wander(Random(seed), restarts=0.08)
        assert groups(one.shard) == plain
        one.open()
        assert groups(one.shard) == plain


def test_lifetimes_are_told_with_them() -> None:
    """A shard's histories are of those that it knows, and of those whom it has forgotten, as of its clock."""
    told = histories_of(driver().finish().shard)
    assert told.at == UNTIL
    assert not told.valued
    found = told.histories
    # stays and, since they came back, back; who never bought has no history
    assert found.customers == 4 + 2
    silent = (found.age - found.recency) / DAY
    assert silent[found.frequency == 13] == pytest.approx([640], abs=LAST_DAYS / 2)
    assert sorted(found.frequency.tolist()) == [0, 0, 1, 9, 13]


def test_a_broken_record_is_set_aside() -> None:
    """It concerns one group of nobody in particular: all else is there."""
    one = driver().finish()
    keys = [key for key, _ in one.changelog if key[:1] == DEPARTED]
    one.changelog.append((keys[0], b"none"))
    one.open()
    assert [poison.key for poison in one.shard.poison] == [keys[0]]
    with pytest.raises(ValueError, match="no count of customers"):
        Departed().read(DEPARTED + b"short", b"")


def test_what_is_kept_does_not_grow_with_the_number_of_customers() -> None:
    """A hundred thousand of ten years, no two alike, are a third as many groups; real ones are mostly alike."""
    random, departed = Random(1), Departed()
    for _ in range(100_000):
        count, span = 1 + int(random.expovariate(0.3)), random.randrange(3_000)
        last = 20_000 + random.randrange(3_650)
        departed.add("orders", count, (last - span) * DAY, last * DAY)
    assert len(departed.groups) < 35_000
    assert sum(departed.groups.values()) == 100_000

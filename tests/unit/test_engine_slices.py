"""A step in slices: what happens between two of them, and a step that is cut short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.engine import judge, memory
from stream.engine.change import Change
from tests.depth import examples
from tests.drawn.compare import driven
from tests.drawn.dimensions import Dimension, dimensions
from tests.drawn.histories import CUSTOMERS, TURNS, UNTIL, histories
from tests.oracle import Happened
from tests.shards import Driver, told

START = TURNS[0].start
END = START + UNTIL
#: The segment of each dimension, by name; None: unknown customer.
Placed = tuple[tuple[str, str | None], ...] | None


@pytest.fixture(autouse=True)
def _one_by_one() -> Iterator[None]:
    """A slice for every event and every row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "EVENTS", 1)
        patch.setattr(judge, "ROWS", 1)
        patch.setattr(memory, "PACKED", 1)
        yield


def placed(driver: Driver, customer: str) -> Placed:
    """Where the shard says that a customer is, at this moment."""
    found = driver.shard.placed(customer)
    return None if found is None else tuple((d, one["segment"]) for d, one in sorted(found["segments"].items()))


def stood(names: Sequence[str], changes: Sequence[Change]) -> set[Placed]:
    """Wherever a customer stood whose changes these are: all that one event or instant brings comes at once."""
    now: dict[str, str | None] = dict.fromkeys(sorted(names))
    found: set[Placed] = {None, tuple(now.items())}
    ordered = sorted(changes, key=lambda c: c.sequence)
    for k, change in enumerate(ordered):
        now[change.dimension] = change.to_segment
        last = k + 1 == len(ordered)
        if last or (change.at_ms, change.cause, event_of(change)) != (
            ordered[k + 1].at_ms,
            ordered[k + 1].cause,
            event_of(ordered[k + 1]),
        ):
            found.add(tuple(now.items()))
    return found


def event_of(change: Change) -> object:
    """The message that a change was caused by, if any."""
    event = change.evidence.get("event")
    return event["messageId"] if isinstance(event, dict) else None


def sliced(driver: Driver, random: Random, seen: dict[str, set[Placed]], cut: float) -> None:
    """Steps in slices to the end; between any two of them records may come, ends be proven, questions be asked, and
    some steps are cut short: their shard is thrown away."""
    for _ in range(10_000):
        for source in driver.log:
            if random.random() < 0.5:
                driver.offer(source, random.randint(1, 4))
        work = driver.shard.stepping(random.randint(1, 6), None)
        while True:
            try:
                next(work)
            except StopIteration as done:
                if done.value is not None:
                    driver.outputs.append(done.value)
                    driver.changes += done.value.changes
                    driver.changelog += done.value.rows
                elif all(driver.shard.expected(s) == len(r) for s, r in driver.log.items()):
                    return
                break
            for customer in CUSTOMERS:
                seen[customer].add(placed(driver, customer))
            source = random.choice(list(driver.log))
            driver.offer(source, random.randint(0, 2))
            driver.prove(random.choice(list(driver.log)))
            if random.random() < cut:
                driver.open()
                break


@examples(40)
@given(dimensions(), histories(START, late=True, most=20), st.integers(0, 1 << 32), st.sampled_from([0.0, 0.1]))
def test_what_happens_between_two_slices(made: list[Dimension], history: list[Happened], seed: int, cut: float) -> None:
    """Records that come, ends that are proven and steps that are cut short between any two slices: the same changes,
    each once; and whoever asks meanwhile is told where the customer really stood, never half of what an event did."""
    once = driven(made, history, END).finish()
    driver = driven(made, history, END)
    seen: dict[str, set[Placed]] = {customer: set() for customer in CUSTOMERS}
    sliced(driver, Random(seed), seen, cut)
    driver.finish()
    assert told(driver.changes) == told(once.changes)
    names = [d.name for d in once.plan.definitions.dimensions]
    for customer in CUSTOMERS:
        own = [c for c in once.changes if c.subject == customer]
        assert seen[customer] <= stood(names, own)

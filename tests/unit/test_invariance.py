"""What does not matter to a customer's changes: batches, polling, restarts, partitions, others, an idle clock."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.depth import examples
from tests.drawn.compare import driven, moves
from tests.drawn.conditions import cut_at
from tests.drawn.dimensions import Dimension, dimensions
from tests.drawn.histories import LENGTH, TURNS, UNHEARD, UNTIL, by_topic, histories
from tests.oracle import Happened, Oracle
from tests.shards import CONTROL, Driver, event, logs, plan_of, told

START = TURNS[0].start
END = START + UNTIL
#: By a seed, which a failure prints.
randoms = st.integers(0, 1 << 32).map(Random)
CROWD = tuple(f"c{k}" for k in range(6))


def plain(made: Sequence[Dimension], history: Sequence[Happened]) -> Driver:
    """The history in one batch a topic."""
    return driven(made, history, END).finish()


@examples(40)
@given(dimensions(), histories(START, late=True, most=20), st.integers(0, 20), randoms)
def test_batches_polling_and_restarts(
    made: list[Dimension], history: list[Happened], disorder: int, random: Random
) -> None:
    """Any cut into batches, any order of offers, proofs and steps, restarts anywhere: the same changes, field by field,
    also of late events; and all customers stand as they would."""
    once = driven(made, history, END, disorder=disorder).finish()
    wandered = driven(made, history, END, disorder=disorder).wander(random, restarts=0.2, most=4)
    assert told(wandered.changes) == told(once.changes)
    assert wandered.counts == once.counts
    assert wandered.shard.sizes() == once.shard.sizes()
    for key in once.shard.rows.keys:
        assert wandered.shard.describe(key.decode()) == once.shard.describe(key.decode())


@examples(15)
@given(dimensions(), histories(START, late=True))
def test_a_restart_after_every_record(made: list[Dimension], history: list[Happened]) -> None:
    """All that a shard knows is in the rows it wrote."""
    stepped = driven(made, history, END)
    for source, records in stepped.log.items():
        stepped.offer(source, len(records))
    for _ in range(4 * len(history)):
        for source, records in stepped.log.items():
            stepped.offer(source, len(records))
            stepped.prove(source)
        stepped.step(1)
        stepped.open()
    assert told(stepped.finish().changes) == told(plain(made, history).changes)


@examples(30)
@given(dimensions(), histories(START, most=24, customers=CROWD), st.sampled_from([2, 3, 8]))
def test_the_number_of_partitions(made: list[Dimension], history: list[Happened], shards: int) -> None:
    """Each customer's events on one of many shards, those of products on all."""
    parts = []
    for shard in range(shards):
        mine = [e for e in history if not e.customer or int(e.customer[1:]) % shards == shard]
        parts += plain(made, mine).changes
    assert told(parts) == told(plain(made, history).changes)


@examples(30)
@given(dimensions(), histories(START, most=24, customers=CROWD))
def test_other_customers_and_what_nobody_reads(made: list[Dimension], history: list[Happened]) -> None:
    """A customer alone in the world moves as among others."""
    whole = plain(made, history).changes
    for customer in CROWD:
        alone = [e for e in history if e.customer in (customer, "") and e.name != UNHEARD]
        assert told(plain(made, alone).changes) == told(whole, customer)


@examples(30)
@given(dimensions(), histories(START, most=24, customers=CROWD), randoms)
def test_how_customers_are_interleaved(made: list[Dimension], history: list[Happened], random: Random) -> None:
    """At one instant, any order of two customers' events that keeps each one's own."""
    mixed = list(history)
    for _ in range(3 * len(mixed)):
        k = random.randrange(max(1, len(mixed) - 1))
        a, b = (mixed + mixed)[k : k + 2]
        if a.t == b.t and a.customer and b.customer and a.customer != b.customer:
            mixed[k], mixed[k + 1] = b, a
    assert told(plain(made, mixed).changes) == told(plain(made, history).changes)


@examples(40)
@given(
    dimensions(),
    histories(START, late=True, most=16),
    st.lists(st.integers(0, LENGTH), max_size=4),
    st.sampled_from([0, 0, 7]),
)
def test_what_the_wall_clock_had_declared(
    made: list[Dimension], history: list[Happened], pauses: list[int], disorder: int
) -> None:
    """While all topics are read to their ends, deadlines fire by the wall clock; an event that then comes late finds
    them in force.  As the oracle says, whose clock went the same way."""
    driver = driven(made, history, None, disorder=disorder)
    driver.wall_clock = True
    oracle, now, done = Oracle(made, cut_at, disorder), START, 0
    for pause in [*sorted(pauses), UNTIL]:
        until = min(len(history), done + 4) if pause < UNTIL else len(history)
        now = max([now, START + pause, *(e.t for e in history[done:until])])
        told_now = by_topic(history[done:until])
        for source in driver.log:
            driver.offer(source, len(told_now.get(source[0], [])))
        for source in driver.log:
            driver.shard.prove(source, driver.shard.expected(source), now)
        driver.drain()
        oracle.run(told_now, now)
        done = until
    assert moves(driver.changes) == sorted(oracle.moves, key=lambda move: move.customer)


#: A multiple of every `every`.
EVEN = 1_700_000_000_000
DECAYING = {
    "dimension": "d",
    "every": "50ms",
    "features": {"fast": {"rate": "A", "half_life": "5ms"}, "slow": {"rate": "B", "half_life": "60ms"}},
    "segments": [{"segment": "risen", "when": "fast > slow"}],
    "otherwise": "calm",
}
OTHER = {
    "dimension": "e",
    "features": {"n": {"count": "C"}},
    "segments": [{"segment": "yes", "when": "n > 0"}],
}


def test_a_restart_does_not_bring_a_look_forward() -> None:
    """Found: what is only looked at now and then is judged as of the customer's latest event, but an event that the
    dimension does not read left it as it was, until the rows were read from rest."""
    events = [event("ann", name, EVEN + t) for name, t in (("B", 0), ("A", 1), ("A", 2), ("C", 30))]
    log = logs(events)
    log[CONTROL, 0] = logs([], EVEN + 40)[CONTROL, 0]
    once = Driver(plan_of(DECAYING, OTHER), log).finish()
    closed = Driver(plan_of(DECAYING, OTHER), logs(events)).finish()
    closed.log = log
    closed.open()
    found = [(c.dimension, c.to_segment, c.at_ms - EVEN) for c in once.changes]
    assert found == [("d", "calm", 0), ("d", "risen", 1), ("d", "calm", 30), ("e", "yes", 30)]
    assert told(closed.finish().changes) == told(once.changes)


def test_whether_there_is_a_value_is_looked_at_too() -> None:
    """Found: with ``every``, `known()` of what has no known moment of change was never asked again."""
    when = "not known(1 / (a / 20ms - 1))"
    made = {"dimension": "d", "every": "10ms", "features": {"a": {"since": "A"}}}
    rules = [{"segment": "never", "when": when}]
    changes = Driver(plan_of({**made, "segments": rules}), logs([event("ann", "A", EVEN)], EVEN + 50)).finish().changes
    assert [(c.to_segment, c.at_ms - EVEN) for c in changes] == [("never", 20), (None, 30)]

"""Moves counted in rings of buckets are what one would count by hand, as far back as the rings reach."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.app.moves import WITHIN, Move, Moves, churn
from stream.engine.kinds import Kinds

SEGMENTS = [None, "a", "b", "c"]
MOVES: list[Move] = [(d, x, y) for d in ("one", "two") for x in SEGMENTS for y in SEGMENTS if x != y]
#: Forty days, beyond the longest ring.
INSTANTS = st.integers(1_700_000_000_000, 1_700_000_000_000 + 40 * 86_400_000)
TOLD = st.lists(st.lists(st.tuples(st.sampled_from(MOVES), INSTANTS), max_size=20), max_size=8)


def counted(told: list[list[tuple[Move, int]]]) -> Moves:
    """All of them, in the order and portions in which they came."""
    moves = Moves()
    for portion in told:
        moves.add(portion)
    return moves


@given(TOLD, st.sampled_from(sorted(WITHIN)))
def test_flows_are_the_moves_of_the_buckets_up_to_now(told: list[list[tuple[Move, int]]], within: str) -> None:
    """Whatever order they come in: a late one is counted in its own bucket, one from before all buckets nowhere."""
    all_told = [one for portion in told for one in portion]
    now = max((at for _, at in all_told), default=0)
    length, (width, _) = WITHIN[within]
    last = now // width
    expected = Counter(move for move, at in all_told if last - length // width < at // width <= last)
    assert counted(told).flows(now, within) == expected


@given(TOLD)
def test_changes_by_their_kinds_are_counted_as_one_by_one(told: list[list[tuple[Move, int]]]) -> None:
    """Of one bucket or of several, also where segments are called otherwise from one transaction to the next."""
    together, apart = Moves(), Moves()
    for n, portion in enumerate(told):
        names = ["a", "b", "c"] if n % 3 else ["c", "b", "former", "a"]
        kinds = Kinds(["one", "two"], [names, names])
        numbers = {kinds.sort(kind)[:3]: kind for kind in range(kinds.count)}
        together.add_many(
            kinds,
            np.array([numbers[move] for move, _ in portion], np.int64),
            np.array([at for _, at in portion], np.int64),
        )
        apart.add(portion)
    now = max((at for portion in told for _, at in portion), default=0)
    for within in WITHIN:
        assert together.flows(now, within) == apart.flows(now, within)


@given(TOLD, st.sampled_from(sorted(WITHIN)))
def test_what_grew_by_bucket_adds_up_to_who_came_less_who_left(told: list[list[tuple[Move, int]]], within: str) -> None:
    """The same moves, seen as sizes over time and as churn."""
    moves = counted(told)
    now = max((at for portion in told for _, at in portion), default=0)
    came_and_went = churn(moves.flows(now, within))
    for dimension in ("one", "two"):
        net = moves.net(now, within, dimension)
        expected = {name: came - went for (d, name), (came, went) in came_and_went.items() if d == dimension}
        assert {name: int(line.sum()) for name, line in net.items() if name in expected} == expected


def test_a_clock_behind_the_latest_move_looks_back_from_itself() -> None:
    """A shard's moves may be dated later than the clock that is asked for: they are not of the time before it."""
    move: Move = ("one", "a", "b")
    moves = counted([[(move, 10 * 86_400_000), (move, 86_400_000)]])
    assert moves.flows(86_400_000, "30d") == {move: 1}


def test_many_kinds_of_moves_are_told_apart() -> None:
    """The table of kinds grows as they come."""
    told: list[tuple[Move, int]] = [(("d", f"s{n}", f"s{n + 1}"), 1_000) for n in range(700)]
    assert counted([told, told]).flows(1_000, "1h") == {move: 2 for move, _ in told}

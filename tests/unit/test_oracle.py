"""The engine against the oracle: random definitions from the whole language over random histories, judged from scratch
at every millisecond."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from tests.depth import examples
from tests.drawn.compare import Cutting, check, moves, planned
from tests.drawn.conditions import cut_at
from tests.drawn.dimensions import dimensions
from tests.drawn.histories import TURNS, UNTIL, Turn, by_topic, histories, on_wire
from tests.drawn.stretch import DAY, HOUR, SLOW, Stretch
from tests.oracle import Oracle
from tests.shards import logs

turns = st.sampled_from(TURNS)


@examples(60)
@given(st.data(), turns)
def test_changes_are_those_of_the_oracle(data: st.DataObject, turn: Turn) -> None:
    """The same customer, dimension, from, to, instant and cause, also where the calendar turns."""
    made = data.draw(dimensions(zone=turn.zone), "definitions")
    check(made, data.draw(histories(turn.start), "history"), turn.start + UNTIL)


@examples(60)
@given(st.data(), turns, st.integers(0, 20))
def test_late_events_follow_the_stated_rule(data: st.DataObject, turn: Turn, disorder: int) -> None:
    """A late event counts at its own instant, changes segments from the customer's latest instant on, and finds in
    force what the clock had declared, which stays behind the events by the allowed disorder."""
    made = data.draw(dimensions(zone=turn.zone), "definitions")
    check(made, data.draw(histories(turn.start, late=True), "history"), turn.start + UNTIL, disorder)


@examples(25)
@given(st.data(), turns)
def test_days_and_changes_of_the_clock(data: st.DataObject, turn: Turn) -> None:
    """The same over five days around a turn of the calendar: hours, midnights, weekdays, months, birthdays, windows."""
    stretched(data, Stretch(turn, HOUR // 2), past=True, words=(*SLOW, "hour"))


@examples(10)
@given(st.data(), turns, st.sampled_from([1, 6]))
def test_weeks_months_and_years(data: st.DataObject, turn: Turn, halves: int) -> None:
    """The same over four months, or two years."""
    stretched(data, Stretch(turn, halves * DAY // 2), past=False, words=SLOW)


def stretched(data: st.DataObject, over: Stretch, past: bool, words: Collection[str]) -> None:
    """The engine and the oracle agree on a history at the size of life."""
    zone = over.turn.zone
    drawn = data.draw(dimensions(memory=False, past=past, zone=zone, words=words, reckon=False), "definitions")
    made, history = over.definitions(drawn), over.history(data.draw(histories(0), "history"))
    until = over.at(UNTIL)
    driver = Cutting(planned(made), logs(map(on_wire, history), until), unit=over.unit)
    oracle = Oracle(made, partial(cut_at, unit=over.unit), instants=over.instants())
    told = sorted(oracle.run(by_topic(history), until), key=lambda move: move.customer)
    assert moves(driver.finish().changes) == told

"""The engine against the oracle: random definitions from the whole language over random histories, judged from scratch
at every millisecond."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.depth import examples
from tests.drawn.compare import check
from tests.drawn.dimensions import dimensions
from tests.drawn.histories import TURNS, UNTIL, Turn, histories

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

"""The verdict on a run under faults: whatever is wrong with what came out, it notices."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.verdict import CHANGED, compare, difference, missing_or_twice, stale


def change(customer: str, sequence: int, to: str | None) -> dict[str, Any]:
    """A change as a reader has it."""
    data = {"dimension": "usage", "from": None, "to": to, "sequence": sequence}
    return {
        "type": CHANGED,
        "id": f"{customer}/{sequence}",
        "subject": customer,
        "time": "2026-01-01T00:00:00.000Z",
        "data": data,
    }


EXPECTED = [change("a", 1, "light"), change("b", 1, "light"), change("a", 2, "heavy"), change("a", 3, None)]
FINE = dict.fromkeys(("lost", "twice", "unknown", "other", "disordered"), 0)


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (EXPECTED, {}),
        ([EXPECTED[1], EXPECTED[0], *EXPECTED[2:]], {}),  # the order is each customer's own
        (EXPECTED[:3], {"lost": 1}),
        ([*EXPECTED[:3], change("a", 3, "light")], {"other": 1}),
        ([*EXPECTED, change("b", 2, "heavy")], {"unknown": 1, "disordered": 1}),
        ([*EXPECTED, EXPECTED[1]], {"twice": 1, "disordered": 1}),
        ([*EXPECTED[:2], EXPECTED[3], EXPECTED[2]], {"disordered": 1}),
    ],
)
def test_every_change_once_as_it_should_be_in_each_customers_order(
    seen: list[dict[str, Any]], wrong: dict[str, int]
) -> None:
    """Changes lost, doubled, made up, altered or out of order are counted each."""
    assert compare(seen, EXPECTED) == FINE | wrong


def test_books_differ_by_what_is_missing_and_what_is_too_much() -> None:
    """An outcome that only one of them knows counts whole."""
    assert difference({"read": 3, "applied": 3}, {"read": 3, "applied": 3}) == 0
    assert difference({"read": 3, "applied": 2, "duplicate": 1}, {"read": 3, "applied": 3}) == 2


def test_the_latest_segments_are_those_of_the_last_changes() -> None:
    """Who is in none has none; a customer who is missing, or was not told the last change, is stale."""
    latest = {
        "a": {"segments": {"usage": None}, "sequence": 3},
        "b": {"segments": {"usage": "light"}, "sequence": 1},
    }
    assert stale(latest, EXPECTED) == 0
    assert stale({"a": latest["a"]}, EXPECTED) == 1
    assert stale(latest | {"a": {"segments": {"usage": "heavy"}, "sequence": 2}}, EXPECTED) == 1
    gone = {"type": "segstream.customer.forgotten", "subject": "a"}
    assert stale(latest, [*EXPECTED, gone]) == 1
    assert stale({"b": latest["b"]}, [*EXPECTED, gone]) == 0


def test_each_dead_letter_comes_once() -> None:
    """One of another record does not make up for one that came twice."""
    one, other = ("clicks", "0", "7"), ("clicks", "0", "8")
    assert missing_or_twice([one, other], 2) == 0
    assert missing_or_twice([one], 2) == 1
    assert missing_or_twice([one, one], 2) == 2

"""How the live view is drawn: it fits every terminal and says what it leaves out."""

from __future__ import annotations

import pytest

from stream.cli.view.screen import bar, draw, pack
from stream.cli.view.state import Move, View
from stream.cli.view.words import flow, plain_line, short_count, short_evidence, short_value

KNOWN = {
    "cart": ["abandoned", "stale", "open", "empty"],
    "cluster": [f"cluster-{number}" for number in range(6)],
    "frequency": ["frequent", "regular", "occasional", "not-buying"],
    "journey": ["advocacy", "retention", "purchase", "intent", "consideration", "interest", "awareness"],
    "lifecycle": ["lapsed", "at-risk", "reactivated", "new", "active", "prospect"],
    "usage": ["heavy", "moderate", "light", "idle"],
    "wishlist": ["wishlist-ready", "wishing", "no-wishes"],
}
MOVE = Move(
    "c17",
    "lifecycle",
    "active",
    "at-risk",
    1_738_314_902_125,
    "deadline",
    {"orders": 3, "since_order": "42d3h12m5s", "spend": None},
    0,
)


def filled(known: dict[str, list[str]]) -> View:
    """Everybody somewhere, and many changes."""
    view = View(known)
    for number in range(1_000):
        view.place(f"c{number}", {name: segments[number % len(segments)] for name, segments in known.items()})
    for _ in range(30):
        view.move(MOVE)
    view.loaded = 1.0
    view.turn(0, 30)
    return view


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (120, 30), (40, 12), (20, 5), (3, 2)])
def test_it_is_as_high_as_the_terminal_and_never_wider(width: int, height: int) -> None:
    """A line too long or too many would make the terminal scroll at every turn."""
    lines = draw(filled(KNOWN), width, height, "a long subtitle " * 20).plain.split("\n")
    assert len(lines) == height
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60)])
def test_common_terminals_show_every_segment_and_some_changes(width: int, height: int) -> None:
    """80x24 is what a terminal has at least."""
    text = draw(filled(KNOWN), width, height, "").plain
    shown = [name[:10] for segments in KNOWN.values() for name in segments]
    assert [name for name in shown if name not in text] == []
    assert text.count("active → at-risk") >= 5
    assert "since_order" in text


def test_what_has_no_room_is_named() -> None:
    """A table that is silently cut would be taken for the whole."""
    many = {f"dimension{number}": ["a", "b", "c", "d", "e"] for number in range(20)}
    text = draw(filled(many), 80, 24, "").plain
    assert "dimension0" in text
    assert "no room for" in text
    assert "--dimension" in text


def test_it_says_that_the_sizes_are_not_complete_yet() -> None:
    """While the latest segments are read, sizes are too small."""
    view = filled(KNOWN)
    view.loaded = 0.4
    assert "reading the latest segments: 40%" in draw(view, 80, 24, "").plain


def test_columns_are_as_low_as_their_order_allows() -> None:
    """Then most room is left for the feed."""
    assert pack([5, 7, 5, 8, 7, 5, 4], 3) == [[0, 1], [2, 3], [4, 5, 6]]
    assert pack([5], 3) == [[0]]


@pytest.mark.parametrize(
    ("share", "width", "expected"), [(0.5, 4, "██  "), (0, 2, "  "), (0.001, 2, "▏ "), (1, 3, "███"), (0.3, 1, "▎")]
)
def test_a_bar_is_drawn_in_eighths_and_shows_that_there_is_someone(share: float, width: int, expected: str) -> None:
    """Its width never changes, or the columns would dance."""
    assert bar(share, width) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0"), (9_999, "9999"), (12_345, "12k"), (1_234_567, "1.2M"), (98_765_432, "98M")]
)
def test_counts_stay_within_four_characters(number: int, expected: str) -> None:
    """So sizes stay in their column."""
    assert short_count(number) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0, ""), (7, "+7"), (999, "+999"), (1_000, "+1k"), (2_000_000, "+2M")]
)
def test_flows_stay_within_four_characters(number: int, expected: str) -> None:
    """Nothing for none: zeros would hide where something moves."""
    assert flow("+", number) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("42d3h12m5s", "42d3h"), ("1h", "1h"), ("-2d1h5m", "-2d1h"), ("premium", "premium"), (3.14159, "3.14"), (5, "5")],
)
def test_values_are_short(value: object, expected: str) -> None:
    """Two units of a duration and three digits say enough."""
    assert short_value(value) == expected


def test_evidence_begins_with_the_event_or_with_what_time_moves() -> None:
    """A narrow terminal cuts the rest."""
    event = {"name": "Order Completed", "messageId": "m1"}
    assert (
        short_evidence({"orders": 3, "since_order": "0s", "event": event})
        == "Order Completed: orders 3, since_order 0s"
    )
    assert short_evidence(MOVE.evidence) == "since_order 42d3h, orders 3"
    assert short_evidence({}) == ""


def test_a_plain_line_has_all_of_a_change() -> None:
    """For pipes and logs."""
    expected = "2025-01-31 09:15:02  c17  lifecycle  active -> at-risk  deadline  since_order 42d3h, orders 3"
    assert plain_line(MOVE) == expected

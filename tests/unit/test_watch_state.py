"""The live view's state: sizes from the latest segments, flows of the last minute, a feed that can be read."""

from __future__ import annotations

import pytest

from stream.cli.view.order import shown_first
from stream.cli.view.show import check_wanted
from stream.cli.view.state import (
    FEED_LINES,
    FIRST_LINES,
    STALE_MS,
    WAITING,
    Feed,
    Flows,
    Move,
    SegmentLine,
    Sizes,
    View,
)
from stream.errors import UserError
from tests.shards import definitions

KNOWN = {"lifecycle": ["at-risk", "active", "new"], "usage": ["heavy", "light"]}


def move(
    to: str | None = "active", of: str | None = "new", *, dimension: str = "lifecycle", at: int = 0, written: int = 0
) -> Move:
    """A change of customer c1."""
    return Move("c1", dimension, of, to, at, "event", {}, written)


def test_a_customer_counts_where_they_are_now_and_nowhere_else() -> None:
    """The topic is compacted, but who reads along sees every version of a customer."""
    sizes = Sizes()
    sizes.place("c1", {"lifecycle": "new", "usage": "heavy"})
    sizes.place("c2", {"lifecycle": "new", "usage": None})
    sizes.place("c1", {"lifecycle": "active", "usage": None})
    assert sizes.of("lifecycle") == {"new": 1, "active": 1}
    assert sizes.of("usage").total() == 0
    assert sizes.customers == 2
    sizes.place("c1", None)
    assert +sizes.of("lifecycle") == {"new": 1}
    assert sizes.customers == 1


def test_flows_count_what_came_and_went_within_a_minute_and_forget_the_rest() -> None:
    """First placements come from nowhere; a customer may also leave for nowhere."""
    flows = Flows()
    flows.add(move(written=1_000))
    flows.add(move(of=None, written=30_000))
    flows.add(move(to=None, of="active", written=30_500))
    assert flows.came == {("lifecycle", "active"): 2}
    assert flows.went == {("lifecycle", "new"): 1, ("lifecycle", "active"): 1}
    flows.forget(61_000)
    assert flows.came == {("lifecycle", "active"): 1}
    assert flows.went == {("lifecycle", "active"): 1}
    flows.forget(90_000)
    assert not flows.came
    assert not flows.went


def test_few_changes_are_all_shown_newest_first() -> None:
    """At a pace that can be read nothing is left out."""
    feed = Feed()
    for at in (1, 2, 3):
        feed.add(move(at=at, written=at))
        feed.turn(1, {}, now_ms=at)
    assert [shown.at_ms for shown in feed.latest(10)] == [3, 2, 1]
    assert [shown.at_ms for shown in feed.latest(2)] == [3, 2]
    assert feed.latest(0) == []
    assert feed.left_out == 0


def test_who_starts_late_sees_at_once_what_has_just_happened() -> None:
    """The first turn fills the feed, however old the changes are."""
    feed = Feed()
    for at in range(50):
        feed.add(move(at=at, written=at))
    feed.turn(1, {}, now_ms=10 * STALE_MS)
    assert [shown.at_ms for shown in feed.latest(100)] == list(range(49, 49 - FIRST_LINES, -1))


def test_of_many_changes_the_feed_shows_the_rare_and_the_different() -> None:
    """One customer at risk is not drowned by hundreds whose usage changes; a kind is not repeated while others wait."""
    feed = Feed()
    feed.add(move("heavy", dimension="usage"))
    feed.turn(1, {}, 0)
    for at in range(100):
        feed.add(move("light" if at % 2 else "heavy", dimension="usage", at=at))
    feed.add(move("at-risk", at=7))
    seen = {("usage", "light"): 50, ("usage", "heavy"): 51, ("lifecycle", "at-risk"): 1}
    feed.turn(1, seen, 0)
    assert feed.latest(1)[0].to_segment == "at-risk"
    feed.turn(1, seen, 0)
    assert {(shown.to_segment, shown.at_ms) for shown in feed.latest(2)} == {("at-risk", 7), ("light", 99)}


def test_what_waited_too_long_is_left_out_and_said_to_be() -> None:
    """A feed that lags behind tells of the past; so it lets go, but never stands still while something waits."""
    feed = Feed()
    feed.add(move())
    feed.turn(1, {}, 0)
    for at in (1, 2, 3):
        feed.add(move(at=at))
    feed.turn(1, {}, now_ms=STALE_MS + 1)
    assert [shown.at_ms for shown in feed.latest(10)] == [3, 0]
    assert feed.left_out == 2


def test_the_feed_keeps_a_bounded_number_of_changes() -> None:
    """Reading a year of changes from the beginning must not fill the memory."""
    feed = Feed()
    for _ in range(WAITING + 5):
        feed.add(move())
    assert feed.left_out == 5
    feed.turn(FEED_LINES + 10, {}, 0)
    assert len(feed.latest(WAITING)) == FEED_LINES


def test_the_table_has_the_segments_of_the_definitions_in_their_order_then_others() -> None:
    """Also those that nobody is in; and a worker with other definitions than ours is still shown."""
    view = View(KNOWN)
    view.place("c1", {"lifecycle": "new", "loyalty": "gold"})
    view.place("c2", {"lifecycle": "gone", "loyalty": None})
    view.move(move("new", None))
    assert list(view.table()) == ["lifecycle", "usage", "loyalty"]
    assert view.table()["lifecycle"] == [
        SegmentLine("at-risk", 0, 0.0, 0, 0),
        SegmentLine("active", 0, 0.0, 0, 0),
        SegmentLine("new", 1, 0.5, 1, 0),
        SegmentLine("gone", 1, 0.5, 0, 0),
    ]
    assert view.table()["loyalty"] == [SegmentLine("gold", 1, 1.0, 0, 0)]


def test_only_wanted_dimensions_are_shown_and_counted() -> None:
    """But time goes on with all changes."""
    view = View(KNOWN, ["usage"])
    assert not view.move(move(at=5))
    assert view.move(move("heavy", dimension="usage", at=3))
    view.turn(0, 5)
    assert list(view.table()) == ["usage"]
    assert (view.changes, view.moves_lately, view.latest_ms) == (1, 1, 5)
    assert [shown.dimension for shown in view.feed(10)] == ["usage"]


def test_an_unknown_dimension_is_a_mistake_that_names_the_known() -> None:
    """Otherwise the screen would stay empty without a word."""
    check_wanted(["usage"], KNOWN)
    with pytest.raises(UserError, match="no dimension uasge: there are lifecycle, usage"):
        check_wanted(["uasge"], KNOWN)


def test_dimensions_that_somebody_waits_for_are_shown_first() -> None:
    """A terminal seldom has room for all of them."""
    quiet = {"features": {"n": {"count": "E"}}, "segments": [{"segment": "a", "when": "n >= 1"}]}
    loud = {"features": {"n": {"count": "E"}}, "segments": [{"segment": "b", "when": "n >= 1", "topic": "b"}]}
    found = definitions({"dimension": "x"} | quiet, {"dimension": "z"} | loud, {"dimension": "a"} | quiet)
    assert list(shown_first(found).items()) == [("z", ("b",)), ("a", ("a",)), ("x", ("a",))]

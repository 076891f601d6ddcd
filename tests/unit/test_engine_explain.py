"""Explanations agree with what the engine does: the same segment, the same truths, the same changes to come."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.engine.change import shown_text
from stream.engine.explain import Explanation, explain
from stream.events.instant import LATEST_MS, iso, parse_iso
from tests.depth import examples
from tests.drawn.compare import driven, moves
from tests.drawn.conditions import cut_at
from tests.drawn.dimensions import dimensions
from tests.drawn.histories import LENGTH, TURNS, by_topic, histories
from tests.drawn.histories import UNTIL as SPAN
from tests.oracle import Happened, Oracle
from tests.shards import Driver, event, logs, plan_of

START = TURNS[0].start
UNTIL = START + SPAN
HORIZON = 200
DAY_MS = 86_400_000


def explained(driver: Driver, customer: str) -> Explanation:
    """The explanation of a customer whom the shard knows."""
    found = explain(driver.shard, customer, HORIZON)
    assert found is not None
    return found


@examples(60)
@given(dimensions(), histories(START, late=True), st.integers(0, LENGTH))
def test_an_explanation_says_what_the_engine_did(
    made: list[dict[str, Any]], history: list[Happened], after: int
) -> None:
    """The first segment that holds is the one that the customer is in, wherever the clock stands."""
    driver = driven(made, history, UNTIL - after).finish()
    for i, key in enumerate(driver.shard.rows.keys):
        found = explained(driver, key.decode())
        segments = driver.shard.segments(i)
        for one in found.dimensions:
            here = next((s.segment for s in one.segments if s.here), one.otherwise)
            assert one.segment == segments[one.dimension]
            if here != one.segment:  # judged again from inside the new segment, a millisecond later
                assert one.next[0].to_segment == here
                assert parse_iso(one.next[0].at) == parse_iso(found.at) + 1


@examples(60)
@given(dimensions(memory=False), histories(START))
def test_every_condition_is_as_true_as_the_oracle_says(made: list[dict[str, Any]], history: list[Happened]) -> None:
    """Each condition, also of segments that others come before, by an independent reading of the same events."""
    driver = driven(made, history, UNTIL).finish()
    oracle = Oracle(made, cut_at)
    oracle.run(by_topic(history), UNTIL)
    by_name = {d["dimension"]: d for d in made}
    for name, customer in oracle.customers.items():
        for one in explained(driver, name).dimensions:
            for rule, said in zip(by_name[one.dimension]["segments"], one.segments, strict=True):
                scene = oracle.scene(by_name[one.dimension], rule, customer, UNTIL)
                assert said.when.holds == scene.truth(rule["when"]), rule["when"]


@examples(60)
@given(dimensions(), histories(START))
def test_what_comes_next_comes(made: list[dict[str, Any]], history: list[Happened]) -> None:
    """The changes foretold when the last event was applied are those that the engine makes as time passes."""
    before = driven(made, history, None).finish()
    now = before.shard.clock_ms
    assert now is not None
    told = {
        (key.decode(), one.dimension): [(parse_iso(n.at), n.from_segment, n.to_segment) for n in one.next]
        for key in before.shard.rows.keys
        for one in explained(before, key.decode()).dimensions
    }
    state = before.shard.rows.table.ints.copy()
    after = driven(made, history, now + HORIZON).finish()
    came: dict[tuple[str, str], list[Any]] = {place: [] for place in told}
    for change in moves(after.changes):
        if change.at > now:
            came[change.customer, change.dimension].append((change.at, change.from_segment, change.to_segment))
    assert {place: changes[:3] for place, changes in came.items()} == told
    assert (state == before.shard.rows.table.ints).all()


def test_a_list_of_texts_is_shown_as_it_was_written() -> None:
    """Also where no condition names the text: shards keep the names of texts."""
    interests = {"latest": "interests", "of": "Identify", "as": "list"}
    made = {
        "dimension": "d",
        "features": {"interests": interests, "country": {"latest": "country", "of": "Identify"}},
        "segments": [{"segment": "a", "when": '"sport" in interests and country == "DK"'}],
    }
    happened = event("ann", "Identify", START, interests=["chess", "sport"], country="SE")
    happened["type"], happened["traits"] = "identify", happened.pop("properties")
    driver = Driver(plan_of(made), logs([happened], UNTIL)).finish()
    sport, country = explained(driver, "ann").dimensions[0].segments[0].when.parts
    assert (sport.holds, country.holds) == (True, False)
    assert sport.values in ('"sport" in ("chess", "sport")', '"sport" in ("sport", "chess")')
    assert country.values == '"SE" == "DK"'


def test_values_are_plain_numbers_whatever_the_feature() -> None:
    """They go into JSON: of snapshots, of `explain --json` and of the web; some accumulators answer with numpy's."""
    of: dict[str, Any] = {"of": "Order Completed", "within": "30d"}
    features = {
        **{f"{word}_of": {word: "total", **of} for word in ("max", "min", "sum", "mean")},
        "start": {"sum": "total", "of": "Order Completed", "after": "7d"},
        "least": {"min": "total", "of": "Order Completed", "after": "7d"},
    }
    rules = [{"segment": "s", "when": " and ".join(f"{name} >= 5" for name in features)}]
    bought = [event("ann", "Order Completed", START + k, total=12.5) for k in range(2)]
    driver = Driver(plan_of({"dimension": "d", "features": features, "segments": rules}), logs(bought, UNTIL)).finish()
    described = driver.shard.describe("ann")
    found = explained(driver, "ann").dimensions[0].features
    assert described is not None
    assert orjson.loads(orjson.dumps(described))["features"] == described["features"]
    for values in (found, described["features"]):
        assert {type(value) for value in values.values()} <= {int, float, type(None)}
        assert values["max_of"] == 12.5
    code: Any = np.int64(-5)
    assert shown_text(code, driver.shard.rows.texts) == "#fffffffffffffffb"


def test_an_explanation_comes_in_parts_and_is_of_the_instant_of_the_question() -> None:
    """A shard with other work is not held up: nothing comes after each dimension and each look ahead, and what the
    customer does meanwhile is not in it."""
    count = {"count": "Product Viewed", "within": "7d"}
    made = [
        {"dimension": f"d{k}", "features": {"seen": count}, "segments": [{"segment": "s", "when": "seen >= 1"}]}
        for k in range(3)
    ]
    seen = [event("ann", "Product Viewed", START + k * DAY_MS) for k in range(5)]
    driver = Driver(plan_of(*made), logs(seen, START + 4 * DAY_MS)).finish()
    expected = explain(driver.shard, "ann", 30 * DAY_MS)
    parts = driver.shard.explaining("ann", 30 * DAY_MS)
    assert next(parts) is None
    i = driver.shard.rows.index[b"ann"]
    driver.shard.rows.table.ints[i] = 0
    rest = list(parts)
    assert rest[:-1] == [None] * (len(rest) - 1)
    assert len(rest) >= 4
    assert rest[-1] == msgspec.to_builtins(expected)
    assert list(driver.shard.explaining("nobody", DAY_MS)) == []


def test_an_explanation_begins_anew_where_a_version_comes_between() -> None:
    """Half of it by the former version, half by the next, would be true of neither."""
    made = {
        "dimension": "d",
        "features": {"seen": {"count": "Product Viewed"}},
        "segments": [{"segment": "s", "when": "seen >= 1"}],
    }
    driver = Driver(plan_of(made), logs([event("ann", "Product Viewed", START)], START)).finish()
    parts = len(list(driver.shard.explaining("ann", HORIZON)))
    asked = driver.shard.explaining("ann", HORIZON)
    assert next(asked) is None
    driver.shard.versions.revision += 1
    assert len(list(asked)) == parts


def test_an_explanation_looks_no_further_than_dates_can_be_written() -> None:
    """Found: whoever was seen on the last day of the year 9999 could not be explained."""
    made = {
        "dimension": "d",
        "features": {"seen": {"since": "Product Viewed"}},
        "segments": [{"segment": "late", "when": "seen >= 30d"}],
        "otherwise": "rest",
    }
    driver = Driver(plan_of(made), logs([event("ann", "Product Viewed", LATEST_MS - DAY_MS)], LATEST_MS)).finish()
    found = explain(driver.shard, "ann", 90 * DAY_MS)
    assert found is not None
    assert (found.foreseen, found.dimensions[0].next) == (iso(LATEST_MS), [])

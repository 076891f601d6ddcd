"""The engine against the oracle: random definitions over random histories, every millisecond judged from scratch."""

from __future__ import annotations

import os
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from stream.engine.change import Change
from stream.plan.plan import Plan
from stream.plan.problems import DefinitionError
from tests.oracle import Move, Oracle
from tests.oracle.features import PRODUCT_UPDATED, Happened
from tests.shards import Driver, event, logs, plan_of, run, wire_time

#: Histories begin here, so that instants are as large as they are in life.
START = 1_700_000_000_000
LENGTH = 120
UNTIL = START + 2 * LENGTH
CUSTOMERS = ("ann", "bo")
EVENTS = ("Order Completed", "Order Refunded", "Product Viewed", "Product Added", "Product Removed", "Identify")

durations = st.integers(1, 70).map(lambda n: f"{n}ms")
event_names = st.sampled_from(EVENTS)
some_names = st.one_of(event_names, st.lists(event_names, min_size=1, max_size=3, unique=True))
counts = st.sampled_from(["0", "1", "2", "3", "1.5", "-1"])
comparisons = st.sampled_from([">=", ">", "<=", "<", "==", "!="])
amounts = st.sampled_from(["0", "5", "12.5", "20"])


#: What shares are taken of, and how far its values are spread: the cut at a share lies at that share of it.
SPREADS = {"n": 4.0, "ago": 60.0, "rate": 2.5, "spend": 40.0, "near2": None, "ago / gap": 3.0}
parts = st.tuples(st.sampled_from(["top", "bottom"]), st.sampled_from([10, 25, 80])).map(lambda p: f"{p[0]} {p[1]}%")
tiles = st.sampled_from(["quartile", "quintile", "decile"])


def cut_at(of: str, share: float) -> float | None:
    """The cut of an expression at a share; unknown for one."""
    spread = SPREADS[of]
    return None if spread is None else spread * share


@st.composite
def features(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """One feature of every kind, with random parts."""
    refund = {"less": "Order Refunded"} if draw(st.booleans()) else {}
    return {
        "n": {"count": draw(some_names)},
        "net": {"count": "Order Completed", **refund},
        "near": {"count": draw(some_names), "within": draw(durations)},
        "near2": {"count": draw(some_names), "within": draw(durations), "up_to": 60},
        "near3": {"count": draw(some_names), "within": draw(durations), "up_to": 60},
        "ago": {"since": draw(some_names)},
        "ago2": {"since": draw(some_names)},
        "born": {"since first": draw(some_names)},
        "gap": {"gap": draw(some_names), "default": draw(durations), "after": draw(st.integers(2, 3)), "min": "3ms"},
        "rate": {"rate": draw(some_names), "half_life": draw(durations)},
        "rate2": {"rate": draw(some_names), "half_life": draw(durations)},
        "spend": {"sum": "total", "of": "Order Completed", **refund},
        "country": {"latest": "country", "of": "Identify"},
        "bag": {
            "bag": "products",
            "add": "Product Added",
            "remove": "Product Removed",
            "visit": "Product Viewed",
            **({"clear": "Order Completed"} if draw(st.booleans()) else {}),
            "limit": draw(st.integers(1, 3)),
        },
    }


@st.composite
def simple_conditions(draw: st.DrawFn, others: Mapping[str, Sequence[str]], past: bool) -> str:
    """One comparison of the language; with ``past`` also of what others' segments were, and since when they are."""
    op, k, d = draw(comparisons), draw(counts), draw(durations)
    kinds = [
        f"n {op} {k}",
        f"net {op} {k}",
        f"near {op} {k}",
        f"{k} {op} near",
        f"near2 + near3 {op} {k}",
        f"near2 {op} near3",
        f"near2 {op} n",
        f"n / near2 {op} {k}",
        f"near2 {op} 2 * ago / {d}",
        f"ago {op} {d}",
        f"{d} {op} ago",
        f"ago {op} {k} * gap",
        f"ago / gap {op} {k}",
        f"ago - ago2 {op} {d}",
        f"2 * ago - born {op} {d}",
        f"ago + ago2 {op} {d}",
        f"ago / near2 {op} {d}",
        f"born {op} {d}",
        f"gap {op} {d}",
        f"rate {op} {draw(st.sampled_from(['0.3', '0.77', '1', '1.9', '2.5']))}",
        f"2 * rate {op} {draw(st.sampled_from(['0.3', '0.77', '1.9']))} + n / 3",
        f"0.7 {op} rate / 1.1",
        f"spend {op} {draw(amounts)}",
        f"spend.mean {op} {draw(amounts)}",
        f"sqrt(spend) {op} {k}",
        f"log1p(n) {op} 1.2",
        f"abs(net - 2) {op} {k}",
        f"bag.size {op} {k}",
        f"bag {op} {k}",
        f"bag.cheaper {op} {k}",
        f"bag.visits {op} {k}",
        f"bag.on_offer {op} {k}",
        f"bag.back {op} {k}",
        'country == "DK"',
        'country != "DK"',
        'country in ("DK", "SE")',
        f"{k} <= n <= 3",
        f"n in ({k}, 2)",
        f"n not in ({k}, 2)",
        f"-ago {op} -{d}",
        f"-rate {op} -0.77",
        f"-n {op} -{k}",
        f"known({draw(st.sampled_from(['ago', 'spend.mean', 'country', 'n / near2', 'rate', 'ago - ago2']))})",
        f'share("{draw(st.sampled_from(["x", "y", "z"]))}") {op} {draw(st.sampled_from(["10%", "50%", "0.75"]))}',
        f"{draw(st.sampled_from(list(SPREADS)))} {draw(st.sampled_from(['in', 'not in']))} {draw(parts)}",
        f"{draw(tiles)}({draw(st.sampled_from(list(SPREADS)))}) {op} {draw(st.integers(2, 3))}",
        f"{draw(tiles)}({draw(st.sampled_from(list(SPREADS)))}) {draw(st.sampled_from(['in', 'not in']))} (1, 3, 4)",
        f"rate {op} rate2",
        f"rate + rate2 {op} {draw(st.sampled_from(['0.9', '1.77']))}",
    ]
    for name, segments in others.items():
        segment = draw(st.sampled_from(list(segments)))
        kinds += [f'segment.{name} {same} "{segment}"' for same in ("==", "!=")]
        kinds.append(f"known(segment.{name})")
        if past:
            kinds += [f'segment.{name}.before {same} "{segment}"' for same in ("==", "!=")]
            kinds += [f"segment.{name}.since {op} {d}", f"2 * segment.{name}.since {op} ago"]
    return draw(st.sampled_from(kinds))


def conditions(others: Mapping[str, Sequence[str]], past: bool) -> st.SearchStrategy[str]:
    """Comparisons joined by and, or, not."""
    return st.recursive(
        simple_conditions(others, past),
        lambda part: st.one_of(
            st.tuples(part, st.sampled_from(["and", "or"]), part).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            part.map(lambda p: f"(not {p})"),
        ),
        max_leaves=4,
    )


@st.composite
def dimensions(draw: st.DrawFn, memory: bool, past: bool = True) -> list[dict[str, Any]]:
    """One to three dimensions; later ones may speak of earlier ones; with ``memory`` also from, leave, for,
    stay and cooldown."""
    found: list[dict[str, Any]] = []
    others: dict[str, list[str]] = {}
    for name in draw(st.permutations(["d", "e", "f"]))[: draw(st.integers(1, 3))]:
        names = list(string.ascii_lowercase[: draw(st.integers(1, 3))])
        otherwise = {"otherwise": "rest"} if draw(st.booleans()) else {}
        every = [*names, *otherwise.values()]
        rules = []
        for segment in names:
            rule: dict[str, Any] = {"segment": segment, "when": draw(conditions(others, past))}
            if memory and draw(st.booleans()):
                rule["from"] = draw(st.lists(st.sampled_from(every), min_size=1, max_size=2, unique=True))
            if memory and draw(st.booleans()):
                rule["leave"] = draw(conditions(others, past))
            if "from" in rule and draw(st.booleans()):
                rule["for"] = draw(durations)
            if memory and draw(st.booleans()):
                rule["cooldown"] = draw(durations)
            if memory and "for" not in rule and draw(st.booleans()):
                rule["stay"] = draw(durations)
            rules.append(rule)
        own: dict[str, Any] = {"dimension": name, "every": draw(durations), "features": draw(features())}
        if memory and not any("for" in rule for rule in rules) and draw(st.integers(0, 3)) == 0:
            own["stay"] = draw(durations)
        found.append({**own, "segments": rules, **otherwise})
        others[name] = every
    return found


@st.composite
def happenings(draw: st.DrawFn, in_order: bool = True) -> list[Happened]:
    """A history: bursts, gaps, ties and repeated messages; with ``in_order`` false also late ones."""
    instants = draw(st.lists(st.integers(0, LENGTH), min_size=1, max_size=12))
    if in_order:
        instants.sort()
    found: list[Happened] = []
    for k, t in enumerate(instants):
        repeat = draw(st.integers(0, 9)) == 0 and any(e.customer for e in found)
        if repeat:
            again = draw(st.sampled_from([e for e in found if e.customer]))
            if again.name == "Identify":
                continue
            found.append(Happened(START + t, again.name, again.customer, again.message, again.properties))
            continue
        name = draw(st.sampled_from([*EVENTS, PRODUCT_UPDATED]))
        if name == "Identify" and any(e.name == name and e.t == START + t for e in found):
            name = "Product Viewed"  # which of two texts at one instant stays is the hash's choice
        customer = "" if name == PRODUCT_UPDATED else draw(st.sampled_from(CUSTOMERS))
        found.append(Happened(START + t, name, customer, f"m{k}", draw(properties(name, START + t))))
    return found


@st.composite
def properties(draw: st.DrawFn, name: str, t: int) -> dict[str, Any]:
    """What an event of that name says."""
    price = draw(st.sampled_from([None, 5.0, 10.0, 15.0]))
    priced = {} if price is None else {"price": price}
    product = {"product_id": draw(st.sampled_from(["p", "q", "r"])), **priced}
    if name == "Order Completed":
        return {"total": draw(st.sampled_from([0.0, 5.0, 12.5, 20.0])), "products": [product]}
    if name == "Order Refunded":
        return {"total": draw(st.sampled_from([5.0, 12.5]))}
    if name == "Identify":
        country = draw(st.sampled_from(["DK", "SE", "NO", None]))
        return {"country": country} if country else {}
    in_stock = draw(st.sampled_from([None, None, True, False]))
    product |= {} if in_stock is None else {"in_stock": in_stock}
    if name == PRODUCT_UPDATED:
        ends = draw(st.one_of(st.none(), st.integers(-10, 80)))
        return product | ({} if ends is None else {"offer_ends": t + ends})
    return product


def on_wire(happened: Happened) -> dict[str, Any]:
    """The event as JSON."""
    properties = dict(happened.properties)
    if "offer_ends" in properties:
        properties["offer_ends"] = wire_time(properties["offer_ends"])
    made = event(happened.customer, happened.name, happened.t, **properties)
    made["messageId"] = happened.message
    if happened.name == "Identify":
        made["type"], made["traits"] = "identify", made.pop("properties")
    return made


def topic(name: str) -> str:
    """The topic an event of the tests goes to."""
    if name.startswith("Order"):
        return "purchases"
    return {"Identify": "profiles", PRODUCT_UPDATED: "products"}.get(name, "clickstream")


def by_topic(history: Iterable[Happened]) -> dict[str, list[Happened]]:
    """A history as the logs of the topics."""
    found: dict[str, list[Happened]] = {}
    for happened in history:
        found.setdefault(topic(happened.name), []).append(happened)
    return found


def planned(made: Sequence[Mapping[str, Any]]) -> Plan:
    """The plan, or no example where the language refuses a comparison for a stated reason."""
    try:
        return plan_of(*made)
    except DefinitionError as error:
        note(str(error))
        assume("cannot be worked out" not in str(error))
        raise


def moves(changes: Iterable[Change]) -> list[Move]:
    """Changes as the oracle writes them, by customer and in each one's order."""
    ordered = sorted(changes, key=lambda c: (c.subject, c.sequence))
    return [Move(c.subject, c.dimension, c.from_segment, c.to_segment, c.at_ms, c.cause) for c in ordered]


def cut(driver: Driver) -> Driver:
    """The driver, its shard knowing the cuts by share."""
    for place, (measure, share) in enumerate(driver.plan.cuts):
        of = driver.plan.measures[measure].split(": ")[1].split(" @")[0]
        found = cut_at(of, share)
        unit = 1e6 if of == "spend" else 1.0
        driver.shard.versions.slots.cuts[:, place] = float("nan") if found is None else found * unit
    return driver


def expected(made: Sequence[Mapping[str, Any]], history: Sequence[Happened]) -> list[Move]:
    """What the oracle says, by customer and in each one's order."""
    return sorted(Oracle(made, cut_at).run(by_topic(history), UNTIL), key=lambda move: move.customer)


def final(found: Iterable[Move]) -> dict[tuple[str, str], str]:
    """Where everyone is in the end; who is in no segment is left out."""
    last = {(move.customer, move.dimension): move.to_segment for move in found}
    return {place: segment for place, segment in last.items() if segment is not None}


def check(made: Sequence[Mapping[str, Any]], history: Sequence[Happened], limit: int) -> None:
    """The engine and the oracle agree."""
    plan = planned(made)
    driver = cut(Driver(plan, logs(map(on_wire, history), UNTIL), limit=limit)).finish()
    assert moves(driver.changes) == expected(made, history)
    assert driver.counts.balanced()


#: SEGSTREAM_TEST_EXAMPLES=5000 looks deeper.
DEEP = settings(
    max_examples=int(os.environ.get("SEGSTREAM_TEST_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@DEEP
@given(dimensions(memory=False), happenings())
def test_conditions_change_when_the_oracle_says(made: list[dict[str, Any]], history: list[Happened]) -> None:
    """Conditions without memory: the same customer, dimension, from, to, instant and cause."""
    check(made, history, limit=1000)


@DEEP
@given(dimensions(memory=True), happenings())
def test_segments_with_memory_change_when_the_oracle_says(made: list[dict[str, Any]], history: list[Happened]) -> None:
    """``from``, ``leave``, ``for``, ``stay`` and ``cooldown``: the same, one judgement an instant."""
    check(made, history, limit=1000)


@DEEP
@given(dimensions(memory=False, past=False), happenings(in_order=False))
def test_late_events_follow_the_stated_rule(made: list[dict[str, Any]], history: list[Happened]) -> None:
    """A late event counts at its own instant, never moves anyone into their past, and in the end all are where the
    oracle says.  (At which instant it moves them depends on the deadlines that had fired: not compared.)"""
    plan = planned(made)
    found = moves(cut(Driver(plan, logs(map(on_wire, history), UNTIL), limit=1)).finish().changes)
    assert final(found) == final(expected(made, history))
    for customer in CUSTOMERS:
        instants = [move.at for move in found if move.customer == customer]
        assert instants == sorted(instants)


#: The same at the size of life: thresholds of days, to the millisecond.
LIFE = (
    ("ago >= 30d", 30 * 86_400_000),
    ("ago > 30d", 30 * 86_400_000 + 1),
    ("ago / 30d >= 2", 60 * 86_400_000),
    ("ago >= 2 * gap", 34 * 86_400_000),
    ("ago / gap > 2", 34 * 86_400_000 + 1),
    ("near < 1", 7 * 86_400_000),
    ("near <= 0", 7 * 86_400_000),
    ("rate <= 0.5", 14 * 86_400_000),
    ("rate < 0.5", 14 * 86_400_000 + 1),
    ("rate * 3 < 0.375", 42 * 86_400_000 + 1),
)


@pytest.mark.parametrize(("when", "after"), LIFE)
def test_a_crossing_is_exact_to_the_millisecond(when: str, after: int) -> None:
    """Worked out by hand: from one order on, the condition becomes true exactly this long after it."""
    order = {"count": "Order Completed", "within": "7d"}
    made = {
        "dimension": "d",
        "features": {
            "ago": {"since": "Order Completed"},
            "near": order,
            "gap": {"gap": "Order Completed", "default": "17d"},
            "rate": {"rate": "Order Completed", "half_life": "14d"},
        },
        "segments": [{"segment": "yes", "when": when}],
        "otherwise": "no",
    }
    at = START + 12_345
    changes = run(plan_of(made), [event("ann", "Order Completed", at)], at + after + 1)
    assert [(c.to_segment, c.at_ms) for c in changes] == [("no", at), ("yes", at + after)]


def test_who_is_in_does_not_flap_where_leave_and_when_overlap() -> None:
    """Found: ``when: n >= 1`` with ``leave: n >= 1`` went in and out every millisecond."""
    made = {
        "dimension": "d",
        "features": {"n": {"count": "Product Viewed"}},
        "segments": [{"segment": "a", "when": "n >= 1", "leave": "n >= 1"}, {"segment": "b", "when": "n >= 2"}],
    }
    changes = run(plan_of(made), [event("ann", "Product Viewed", START + t) for t in (1, 2)], START + 1000)
    assert [(c.to_segment, c.at_ms) for c in changes] == [("b", START + 2)]


@pytest.mark.parametrize("when", ["sqrt(spend) < 2", "log1p(spend) < 2", "near > 3 / (n - 1)", "near <= n / (n - n)"])
def test_what_has_no_value_makes_a_comparison_false(when: str) -> None:
    """Found: roots and logarithms of sums below zero, and a division by zero beside a window, raised in the twin."""
    made = {
        "dimension": "d",
        "features": {
            "spend": {"sum": "total", "of": "Order Completed", "less": "Order Refunded"},
            "near": {"count": "Order Refunded", "within": "7d", "up_to": 9},
            "n": {"count": "Order Refunded"},
        },
        "segments": [{"segment": "yes", "when": when}],
        "otherwise": "no",
    }
    changes = run(plan_of(made), [event("ann", "Order Refunded", START, total=5)], START + 1000)
    assert [c.to_segment for c in changes] == ["no"]


def test_a_dimension_follows_another_at_the_same_instant() -> None:
    """Also where the event feeds none of its own features: first what it depends on, then itself."""
    lead = {
        "dimension": "lead",
        "features": {"ago": {"since": "Product Viewed"}},
        "segments": [{"segment": "late", "when": "ago >= 50ms"}],
        "otherwise": "here",
    }
    follow = {"dimension": "follow", "segments": [{"segment": "yes", "when": 'segment.lead == "late"'}]}
    views = [event("ann", "Product Viewed", START + t) for t in (0, 70)]
    changes = run(plan_of(follow, lead), views, START + 80)
    assert [(c.dimension, c.to_segment, c.at_ms - START, c.cause) for c in changes] == [
        ("lead", "here", 0, "event"),
        ("lead", "late", 50, "deadline"),
        ("follow", "yes", 50, "deadline"),
        ("lead", "here", 70, "event"),
        ("follow", None, 70, "event"),
    ]

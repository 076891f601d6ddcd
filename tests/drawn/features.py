"""Features of every kind, with random parts: what each is called, how it is told in YAML, and what its values are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from hypothesis import strategies as st

Spec = dict[str, Any]

EVENTS = ("Order Completed", "Order Refunded", "Product Viewed", "Product Added", "Product Removed", "Identify")
durations = st.integers(1, 70).map(lambda n: f"{n}ms")
event_names = st.sampled_from(EVENTS)
some_names = st.one_of(event_names, st.lists(event_names, min_size=1, max_size=3, unique=True))
#: Names of events that tell of products.
telling = st.sampled_from(["Product Viewed", "Product Added", ["Product Viewed", "Product Added"]])
periods = st.sampled_from(["day", "week", "month", "quarter", "year"])
FILTERS = (
    "price >= 10",
    "price < 15",
    "price == 17.5",
    'kind == "a"',
    'kind in ("a", "b") and price < 17.5',
    "known(kind)",
    'not kind == "a"',
    'kind != "b"',
    'products.brand == "x"',
    'products.brand != "x" and products.price >= 10',
    'time.hour >= 12 or time.hour in (1, 2)',
    'time.weekday in ("saturday", "sunday", "thursday")',
    'time.month == "march"',
    '"new" in tags',
    '"new" not in tags',
    "weight > 0.25 * 10",
)  # fmt: skip
filters = st.sampled_from(FILTERS)


class Unit(Enum):
    """What a value is, and so what it may be compared with."""

    COUNT = auto()
    #: A count that is kept no further than the numbers it is compared with.
    CAPPED = auto()
    SHARE = auto()
    RATE = auto()
    #: By how much more, by how irregular: compared with plain numbers.
    RATIO = auto()
    MONEY = auto()
    #: An amount that may be no multiple of anything: compared with plain amounts.
    MEAN = auto()
    #: A duration that may be no fraction: compared with what it never equals.
    SPREAD = auto()
    NUMBER = auto()
    DURATION = auto()
    DAYS = auto()
    HOURS = auto()
    TEXT = auto()
    TEXTS = auto()


@dataclass(frozen=True)
class Word:
    """A kind of feature: how it is drawn, what its views are, and the texts it may have."""

    draw: Callable[[st.DrawFn], Spec]
    views: Mapping[str, Unit]
    texts: tuple[str, ...] = ()


def filtered(draw: st.DrawFn, spec: Spec) -> Spec:
    """The feature, at times behind a filter."""
    return {**spec, "where": draw(filters)} if draw(st.integers(0, 3)) == 0 else spec


def _counted(draw: st.DrawFn, **more: Any) -> Spec:
    return filtered(draw, {"count": draw(some_names), **more})


def _since_other(draw: st.DrawFn) -> Spec:
    names = draw(st.lists(event_names, min_size=2, max_size=4, unique=True))
    return filtered(draw, {"count": names[1:], "after": names[0]})


def _net(draw: st.DrawFn) -> Spec:
    refund = {"less": "Order Refunded"} if draw(st.booleans()) else {}
    return {"count": "Order Completed", **refund}


def _spend(draw: st.DrawFn) -> Spec:
    refund = {"less": "Order Refunded"} if draw(st.booleans()) else {}
    return {"sum": "total", "of": "Order Completed", **refund}


def _span(draw: st.DrawFn) -> Spec:
    """What bounds a feature in time, if anything."""
    last = {"last": draw(st.integers(1, 4))} if draw(st.booleans()) else {}
    kinds: list[Spec] = [
        {},
        {"within": draw(durations), **last},
        {"after": "Order Completed", **last},
        {"this": draw(periods)},
    ]
    return draw(st.sampled_from(kinds))


def _amount(draw: st.DrawFn) -> Spec:
    word = draw(st.sampled_from(["sum", "min", "max"]))
    path = draw(st.sampled_from(["price", "products.price"]))
    return filtered(draw, {word: path, "of": draw(telling), **_span(draw)})


def _weight(draw: st.DrawFn) -> Spec:
    word = draw(st.sampled_from(["sum", "min", "max", "mean"]))
    return filtered(
        draw, {word: draw(st.sampled_from(["weight", "products.size"])), "of": draw(telling), **_span(draw)}
    )


def _mean(draw: st.DrawFn) -> Spec:
    return filtered(draw, {"mean": "price", "of": draw(telling), **_span(draw)})


def _gap(draw: st.DrawFn) -> Spec:
    least = {"min": draw(st.sampled_from(["1ms", "3ms"]))} if draw(st.booleans()) else {}
    most = {"max": draw(st.sampled_from(["20ms", "40ms"]))} if draw(st.booleans()) else {}
    after = draw(st.integers(2, 3))
    return filtered(draw, {"gap": draw(some_names), "default": draw(durations), "after": after, **least, **most})


def _distinct(draw: st.DrawFn) -> Spec:
    paths = ["kind", "products.brand", "event", "time.day", "time.hour", "time.weekday", "time.month"]
    within = {"within": draw(durations)} if draw(st.booleans()) else {}
    return filtered(draw, {"distinct": draw(st.sampled_from(paths)), "of": draw(telling), **within})


def _favourite(draw: st.DrawFn) -> Spec:
    within = {"within": draw(durations)} if draw(st.booleans()) else {}
    path = draw(st.sampled_from(["kind", "products.brand"]))
    return filtered(draw, {"favourite": path, "of": draw(telling), "last": draw(st.integers(1, 5)), **within})


def _label(draw: st.DrawFn) -> Spec:
    of = {"web": ["Product Viewed", "Product Added"], "shop": "Order Completed"}
    within = {"within": draw(durations)} if draw(st.booleans()) else {}
    return {"favourite": "label", "of": of, "last": draw(st.integers(1, 5)), **within}


def _time_of(draw: st.DrawFn) -> Spec:
    path = draw(st.sampled_from(["time.weekday", "time.hour", "time.month"]))
    return {"favourite": path, "of": draw(telling), "last": draw(st.integers(1, 4))}


def _recurring(draw: st.DrawFn, part: str) -> Spec:
    once = {"once": "day"} if draw(st.booleans()) else {}
    return {"recurring": part, "of": draw(some_names), "last": draw(st.integers(1, 4)), **once}


def _sequence(draw: st.DrawFn) -> Spec:
    steps = draw(st.lists(some_names, min_size=2, max_size=4))
    # Every instant of a step is kept: with late events, what is kept no more could complete a run.
    return filtered(draw, {"sequence": steps, "within": draw(durations), "last": 16})


def _bag(draw: st.DrawFn) -> Spec:
    clear = {"clear": "Order Completed"} if draw(st.booleans()) else {}
    names = {"add": "Product Added", "remove": "Product Removed", "visit": "Product Viewed"}
    return {"bag": "products", **names, **clear, "limit": draw(st.integers(1, 3))}


def _trait(path: str, **more: Any) -> Callable[[st.DrawFn], Spec]:
    return lambda draw: {"latest": path, "of": "Identify", **more}


COUNT, CAPPED, MONEY, DURATION = Unit.COUNT, Unit.CAPPED, Unit.MONEY, Unit.DURATION
CHOICE = {"": Unit.TEXT, "share": Unit.SHARE, "variety": Unit.SHARE, "switching": Unit.SHARE, "choices": COUNT}
WORDS: dict[str, Word] = {
    "n": Word(_counted, {"": COUNT}),
    "net": Word(_net, {"": COUNT}),
    "capped": Word(lambda draw: _counted(draw, within=draw(durations)), {"": CAPPED}),
    "near": Word(lambda draw: _counted(draw, within=draw(durations), up_to=60), {"": COUNT}),
    "fresh": Word(_since_other, {"": CAPPED}),
    "now": Word(lambda draw: _counted(draw, this=draw(periods)), {"": COUNT}),
    "formerly": Word(
        lambda draw: _counted(draw, year_ago=draw(st.sampled_from(["week", "month", "quarter"]))), {"": COUNT}
    ),
    "ago": Word(lambda draw: filtered(draw, {"since": draw(some_names)}), {"": DURATION}),
    "born": Word(lambda draw: filtered(draw, {"since first": draw(some_names)}), {"": DURATION}),
    "gap": Word(_gap, {"": DURATION}),
    "rate": Word(
        lambda draw: filtered(draw, {"rate": draw(some_names), "half_life": draw(durations)}), {"": Unit.RATE}
    ),
    "spend": Word(_spend, {"": MONEY, "mean": Unit.MEAN}),
    "amount": Word(_amount, {"": MONEY}),
    "mean": Word(_mean, {"": Unit.MEAN}),
    "weight": Word(_weight, {"": Unit.NUMBER}),
    "country": Word(_trait("country"), {"": Unit.TEXT}, ("DK", "DE-BY", "SE")),
    "age": Word(_trait("age", **{"as": "number"}), {"": Unit.NUMBER}),
    "limit": Word(_trait("limit", **{"as": "money"}), {"": MONEY}),
    "joined": Word(_trait("joined", **{"as": "instant"}), {"": DURATION}),
    "interests": Word(_trait("interests", **{"as": "list"}), {"": Unit.TEXTS}, ("books", "games", "shoes")),
    "kinds": Word(_distinct, {"": CAPPED}),
    "often": Word(_favourite, CHOICE, ("a", "b", "x", "y")),
    "channel": Word(_label, CHOICE, ("web", "shop")),
    "usually": Word(_time_of, {"": Unit.TEXT}, ("sunday", "thursday", "march", "00", "23")),
    "steady": Word(
        lambda draw: filtered(draw, {"spread": draw(some_names), "last": draw(st.integers(2, 5))}),
        {"": Unit.SPREAD, "mean": DURATION, "ratio": Unit.RATIO},
    ),
    "more": Word(
        lambda draw: filtered(draw, {"trend": draw(some_names), "within": draw(durations)}),
        {"": COUNT, "now": COUNT, "before": COUNT, "ratio": Unit.RATIO},
    ),
    "done": Word(_sequence, {"": DURATION}),
    "bag": Word(_bag, dict.fromkeys(("", "size", "cheaper", "visits", "on_offer", "back"), COUNT)),
    "birthday": Word(
        lambda draw: {"anniversary": "birthday", "of": "Identify", "last": draw(st.integers(1, 2))}, {"": Unit.DAYS}
    ),
    "season": Word(
        lambda draw: {"anniversary": "time", "of": draw(some_names), "last": draw(st.integers(1, 3))}, {"": Unit.DAYS}
    ),
    "holiday": Word(lambda draw: {"holiday": ["DK", "DE-BY"], "by": "country", "of": "Identify"}, {"": Unit.DAYS}),
    "hour": Word(
        lambda draw: _recurring(draw, "hour"),
        {"": Unit.HOURS, "share": Unit.SHARE, "choices": COUNT},
    ),
    "day": Word(
        lambda draw: _recurring(draw, draw(st.sampled_from(["weekday", "month"]))),
        {"": Unit.DAYS, "share": Unit.SHARE, "choices": COUNT},
    ),
}

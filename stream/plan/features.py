"""From the YAML of one feature to its accumulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import yaml

from stream.events.names import MONEY_PROPERTIES
from stream.features.after import After, CountAfter
from stream.features.anniversary import Anniversary
from stream.features.bag import Bag
from stream.features.base import FOREVER, Accumulator, Kind
from stream.features.count import Count
from stream.features.count_within import CountWithin
from stream.features.decay import Decay
from stream.features.distinct import Distinct
from stream.features.extreme import Extreme
from stream.features.favourite import Favourite
from stream.features.gap import Gap
from stream.features.holiday import Holiday, Holidays, countries, known
from stream.features.latest import Latest, LatestInstant, LatestNumber, LatestTexts
from stream.features.mean import Mean
from stream.features.orders import Orders
from stream.features.orders_extreme import OrderExtreme
from stream.features.orders_span import OrderSpan
from stream.features.orders_time import OrderCount, OrderGap, OrderSince, OrderTimes
from stream.features.orders_total import OrderTotal
from stream.features.own_zone import OwnZone
from stream.features.period import PeriodCount, PeriodTotal
from stream.features.predicted import Predicted
from stream.features.propensity import Propensity
from stream.features.recurring import Recurring, RecurringDays
from stream.features.sequence import Sequence
from stream.features.since import Since
from stream.features.spread import Spread
from stream.features.total import Total
from stream.features.trend import Trend
from stream.features.where import Where
from stream.features.within import Within
from stream.features.year_ago import YearAgo
from stream.plan.document import Value
from stream.plan.feature_keys import MOST_COUNTED, NO_INSTANT, NO_LIST, Keys, Span, event_names, read_filter
from stream.plan.inputs import OF_PRODUCTS
from stream.plan.predicted_keys import PREDICTED
from stream.plan.problems import suggest

#: Most entries of a bag; 64 KB at rest.
LARGEST_BAG = 1000
#: Most different values that one feature counts, and steps of a sequence.
MOST_DISTINCT = 366
MOST_STEPS = 4
MICROS = 1e6
#: Most features that a prediction is learned from.
MOST_INPUTS = 32


def parse_feature(value: Value, zone: str | OwnZone = "UTC") -> Accumulator | None:
    """The accumulator that a feature's mapping asks for, or None where it cannot be told which (noted).

    ``zone`` is the time zone (IANA) in which its calendar goes, or says how each customer's own is known.
    """
    mapping = value.mapping()
    words = [word for word in READERS if word in mapping.entries]
    if "gap" in words:
        words = [word for word in words if word not in ("min", "max")]  # there they are bounds of the gap
    if len(words) == 1:
        where = mapping.entries.pop("where", None)
        accumulator = READERS[words[0]](Keys(mapping, zone))
        return behind(accumulator, where, zone) if where else accumulator
    if words:
        value.wrong(f"a feature does one thing; {' and '.join(repr(w) for w in words)} cannot stand together")
    else:
        first = next(iter(mapping.entries), None)
        if first is not None:
            mapping.keys[first].wrong(f"{first!r} is not a kind of feature{suggest(first, READERS)}")
        elif isinstance(value.node, yaml.MappingNode):
            value.wrong("say what this feature is, for instance {count: Order Completed}")
    return None


def behind(accumulator: Accumulator, where: Value, zone: str | OwnZone) -> Accumulator:
    """The feature behind a filter."""
    if isinstance(accumulator, Bag):
        where.wrong("a bag takes no filter: what a later event takes out must be what an earlier one put in")
        return accumulator
    if isinstance(accumulator, Propensity):
        where.wrong("a prediction takes no filter; put it on the features that it is learned from")
        return accumulator
    found = read_filter(where, zone)
    if found and isinstance(accumulator, Predicted):
        return accumulator.behind(found)
    if found and isinstance(accumulator, OrderTotal | OrderExtreme | OrderTimes | OrderSpan):
        return replace(accumulator, where=found)
    return Where(accumulator, found) if found else accumulator


def _over_orders(keys: Keys, how: str, span: Span, path: str | None, orders: Orders) -> Accumulator:
    """A count, or ``sum``, ``mean``, ``min``, ``max`` of a property, of orders that can be taken back."""
    kind = Kind.NUMBER if path is None else keys.kind(path)
    if path is not None and path.startswith(OF_PRODUCTS) and how != "sum":
        keys.wrong("less", f"what products brought can be taken off a sum, not a {how!r}; leave 'less' out")
    match span.kind:
        case "within":
            return OrderSpan(how, path, orders, window=span.window, kind=kind)
        case "after":
            keys.apart("less", "after")
            return OrderSpan(how, path, orders, others=span.after, kind=kind)
        case "this":
            return OrderSpan(how, path, orders, period=span.period, zone=keys.local(), kind=kind)
    if path is None:
        return OrderCount(orders)
    if how in ("min", "max"):
        return OrderExtreme(path, orders, how == "max", kind)
    return OrderTotal(how, path, orders, kind)


def _count(keys: Keys) -> Accumulator:
    span = keys.span()
    names = keys.names("count")
    orders = None
    if span.kind != "year_ago":
        orders = keys.orders("count") if span.kind == "always" else keys.matched("count")
    if orders is not None:
        keys.mapping.only("count", "less", "by", "last", span.kind)
        keys.apart("count", "after")
        return _over_orders(keys, "count", span, None, orders)
    match span.kind:
        case "within":
            keys.mapping.only("count", "within", "up_to", "less")
            return CountWithin(names, span.window, keys.up_to())
        case "after":
            keys.mapping.only("count", "after", "up_to", "less")
            keys.apart("count", "after")
            return CountAfter(names, span.after, keys.up_to())
        case "this":
            keys.mapping.only("count", "this", "less")
            return PeriodCount(names, span.period, keys.local())
        case "year_ago":
            keys.mapping.only("count", "year_ago")
            return YearAgo(names, span.period, keys.local())
    keys.mapping.only("count", "less", "by")
    return Count(names, keys.names("less"))


def _total(word: str) -> Callable[[Keys], Accumulator]:
    """The reader of ``sum``, ``mean``, ``min`` or ``max``."""

    def read(keys: Keys) -> Accumulator:
        span = keys.span("year_ago")
        keys.mapping.require("of")
        path, of = keys.number(word), keys.names("of")
        kind = keys.kind(path)
        orders = keys.orders("of") if span.kind == "always" and word == "sum" else keys.matched("of")
        if orders is not None:
            keys.mapping.only(word, "of", "less", "by", "last", span.kind)
            keys.apart("of", "after")
            return _over_orders(keys, word, span, path, orders)
        if span.kind in ("within", "after"):
            keys.mapping.only(word, "of", span.kind, "last", "less")
            keys.apart("of", "after")
            if span.kind == "within":
                return Within(word, path, of, span.window, keys.last(16), kind)
            return After(word, path, of, span.after, keys.last(16), kind)
        if span.kind == "this":
            keys.mapping.only(word, "of", "this", "less")
            return PeriodTotal(word, path, of, span.period, keys.local(), kind)
        keys.mapping.only(word, "of", "less", "by")
        if word == "sum":
            return Total(path, of, keys.names("less"), kind)
        return Mean(path, of, kind) if word == "mean" else Extreme(path, of, word == "max", kind)

    return read


def _since(keys: Keys) -> Accumulator:
    return _since_any(keys, "since", first=False)


def _since_first(keys: Keys) -> Accumulator:
    return _since_any(keys, "since first", first=True)


def _since_any(keys: Keys, word: str, *, first: bool) -> Accumulator:
    keys.mapping.only(word, "less", "by", *(("last",) if keys.has("less") else ()))
    orders = keys.matched(word)
    return Since(keys.names(word), first) if orders is None else OrderSince(orders, first=first)


def _gap(keys: Keys) -> Accumulator:
    keys.mapping.only("gap", "default", "after", "min", "max", "less", "by", *(("last",) if keys.has("less") else ()))
    keys.mapping.require("default")
    after = keys.whole("after", 3)
    if after < 2:
        keys.wrong("after", "a gap needs at least 2 events")
        after = 2
    least, most = keys.duration("min", 0), keys.duration("max", FOREVER)
    if least > most:
        keys.wrong("min", "'min' is longer than 'max'")
    orders, default = keys.matched("gap"), keys.duration("default", 1)
    if orders is not None:
        return OrderGap(orders, default=default, after=after, least=least, most=most)
    return Gap(keys.names("gap"), default, after, least, most)


def _rate(keys: Keys) -> Accumulator:
    keys.mapping.only("rate", "half_life")
    keys.mapping.require("half_life")
    return Decay(keys.names("rate"), keys.longer("half_life", 1))


def _latest(keys: Keys) -> Accumulator:
    keys.mapping.only("latest", "of", "as")
    keys.mapping.require("of")
    of = keys.names("of")
    match keys.choice("as", ("text", "number", "money", "list", "instant")):
        case "number" | "money" as word:
            path = keys.number("latest")
            amount = path in MONEY_PROPERTIES
            if word == "money":
                return LatestNumber(path, of, Kind.MONEY, 1.0 if amount else MICROS)
            return LatestNumber(path, of, Kind.NUMBER, 1 / MICROS if amount else 1.0)
        case "list":
            return LatestTexts(keys.property("latest", NO_LIST, "list"), of)
        case "instant":
            return LatestInstant(keys.property("latest", NO_INSTANT, "time"), of)
    return Latest(keys.text("latest"), of)


def _distinct(keys: Keys) -> Accumulator:
    keys.mapping.only("distinct", "of", "within", "up_to")
    paths = keys.paths("distinct")
    return Distinct(paths, keys.local_of(paths), keys.longer("within", FOREVER), keys.up_to(MOST_DISTINCT))


def _favourite(keys: Keys) -> Accumulator:
    keys.mapping.only("favourite", "of", "last", "within")
    paths = keys.paths("favourite", refused=("time.day",))
    return Favourite(paths, keys.local_of(paths), keys.last(10), keys.longer("within", FOREVER))


def _spread(keys: Keys) -> Accumulator:
    keys.mapping.only("spread", "last")
    return Spread(keys.names("spread"), keys.last(6, 2))


def _trend(keys: Keys) -> Accumulator:
    keys.mapping.only("trend", "within", "up_to")
    keys.mapping.require("within")
    return Trend(keys.names("trend"), keys.longer("within", 1), keys.up_to(MOST_COUNTED // 2) or 20)


def _sequence(keys: Keys) -> Accumulator:
    keys.mapping.only("sequence", "within", "last")
    keys.mapping.require("within")
    steps = tuple(event_names(step) for step in keys.mapping.entries["sequence"].items())
    if not 2 <= len(steps) <= MOST_STEPS:
        keys.wrong("sequence", f"a sequence has 2 to {MOST_STEPS} steps, in square brackets")
    return Sequence(steps, keys.longer("within", 1), keys.last(4))


def _anniversary(keys: Keys) -> Accumulator:
    keys.mapping.only("anniversary", "of", "last")
    keys.mapping.require("of")
    path = None if keys.mapping.entries["anniversary"].text() == "time" else keys.date("anniversary")
    return Anniversary(path, keys.names("of"), keys.local(), keys.last(1))


def _recurring(keys: Keys) -> Accumulator:
    keys.mapping.only("recurring", "of", "last", "once")
    keys.mapping.require("of")
    part = keys.choice("recurring", ("hour", "weekday", "month"))
    once = "once" in keys.mapping.entries and keys.choice("once", ("day",)) == "day"
    return (RecurringDays if once else Recurring)(part, keys.names("of"), keys.local(), keys.last(10))


def _holiday(keys: Keys) -> Accumulator:
    keys.mapping.only("holiday", "by", "of")
    codes = tuple(sorted(set(keys.mapping.entries["holiday"].texts())))
    for code in codes:
        if not known(code):
            what = "has no such part" if known(code.partition("-")[0]) else "is no country with known holidays"
            keys.wrong("holiday", f"{code!r} {what}{suggest(code, countries())}; write codes such as DE or DE-BY")
    found = Holidays(tuple(code for code in codes if known(code)))
    if keys.mapping.require("by") is None or keys.mapping.require("of") is None:
        return Holiday(found, "unknown", (), keys.local())
    return Holiday(found, keys.text("by"), keys.names("of"), keys.local())


def _bag(keys: Keys) -> Accumulator:
    keys.mapping.only("bag", "add", "remove", "clear", "visit", "limit")
    keys.mapping.require("add")
    if keys.mapping.entries["bag"].text() != "products":
        keys.wrong("bag", "a bag holds products; write 'bag: products'")
    limit = keys.positive("limit", keys.whole("limit", 100))
    if limit > LARGEST_BAG:
        keys.wrong("limit", f"a bag holds at most {LARGEST_BAG} products, so that a row stays small")
    roles = [keys.names(role) for role in ("add", "remove", "clear", "visit")]
    for i, names in enumerate(roles):
        for name in names:
            if any(name in other for other in roles[:i]):
                keys.mapping.value.wrong(f"{name!r} plays two parts in this bag; keep one")
    add, remove, clear, visit = roles
    return Bag(add, remove, clear, visit, limit)


def _predict(keys: Keys) -> Accumulator:
    keys.mapping.only("predict", "within", "from")
    keys.mapping.require("within")
    parts = keys.mapping.require("from")
    names = tuple(part.text() for part in parts.items()) if parts else ()
    if parts and not 1 <= len(names) <= MOST_INPUTS:
        parts.wrong(f"a prediction is learned from 1 to {MOST_INPUTS} features of this file, in square brackets")
    if parts and len(set(names)) < len(names):
        parts.wrong("a feature stands here twice; keep one")
    return Propensity(keys.names("predict"), keys.longer("within", 1), names[:MOST_INPUTS])


READERS: dict[str, Callable[[Keys], Accumulator]] = {
    "anniversary": _anniversary,
    "bag": _bag,
    "count": _count,
    "distinct": _distinct,
    "favourite": _favourite,
    "gap": _gap,
    "holiday": _holiday,
    "latest": _latest,
    "max": _total("max"),
    "mean": _total("mean"),
    "min": _total("min"),
    "predict": _predict,
    "rate": _rate,
    "recurring": _recurring,
    "sequence": _sequence,
    "since": _since,
    "since first": _since_first,
    "spread": _spread,
    "sum": _total("sum"),
    "trend": _trend,
    **PREDICTED,
}

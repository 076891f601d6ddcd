"""From the YAML of one feature to its accumulator."""

from __future__ import annotations

import keyword
from collections.abc import Callable

from stream.events.names import MONEY_PROPERTIES, PRODUCT_UPDATED
from stream.features.bag import Bag
from stream.features.base import FOREVER, Accumulator, Kind
from stream.features.count import Count
from stream.features.count_within import CountWithin
from stream.features.decay import Decay
from stream.features.gap import Gap
from stream.features.latest import Latest
from stream.features.since import Since
from stream.features.total import Total
from stream.plan.document import Mapping, Value
from stream.plan.problems import suggest

#: Most entries of a bag; 64 KB at rest.
LARGEST_BAG = 1000


def parse_feature(value: Value) -> Accumulator | None:
    """The accumulator that a feature's mapping asks for, or None where it cannot be told which (noted)."""
    mapping = value.mapping()
    words = [word for word in READERS if word in mapping.entries]
    if len(words) == 1:
        return READERS[words[0]](mapping)
    if words:
        value.wrong(f"a feature does one thing; {' and '.join(repr(w) for w in words)} cannot stand together")
    else:
        first = next(iter(mapping.entries), "")
        value.wrong(f"{first!r} is not a kind of feature{suggest(first, READERS)}")
    return None


def _names(mapping: Mapping, key: str) -> tuple[str, ...]:
    found = mapping.get(key)
    names = found.texts() if found else ()
    if found and PRODUCT_UPDATED in names:
        found.wrong(f"{PRODUCT_UPDATED!r} happens to products, not to customers; a bag hears of it by itself")
    return names


def _duration(mapping: Mapping, key: str, default: int) -> int:
    found = mapping.get(key)
    return found.duration() if found else default


def _whole(mapping: Mapping, key: str, default: int) -> int:
    found = mapping.get(key)
    return found.whole() if found else default


def _positive(mapping: Mapping, key: str, what: int) -> int:
    if what <= 0:
        mapping.entries[key].wrong(f"{key!r} must be more than 0")
        return 1
    return what


def _count(mapping: Mapping) -> Accumulator:
    if "within" in mapping.entries:
        mapping.only("count", "within", "up_to")
        up_to = mapping.get("up_to")
        window = _positive(mapping, "within", _duration(mapping, "within", 1))
        limit = _positive(mapping, "up_to", up_to.whole()) if up_to else None
        return CountWithin(_names(mapping, "count"), window, limit)
    mapping.only("count", "less")
    return Count(_names(mapping, "count"), _names(mapping, "less"))


def _sum(mapping: Mapping) -> Accumulator:
    mapping.only("sum", "of", "less")
    mapping.require("of")
    path = _property(mapping, "sum", ("products", "offer_ends", "product_id", "currency"))
    kind = Kind.MONEY if path in MONEY_PROPERTIES else Kind.NUMBER
    return Total(path, _names(mapping, "of"), _names(mapping, "less"), kind)


def _since(mapping: Mapping) -> Accumulator:
    mapping.only("since")
    return Since(_names(mapping, "since"))


def _since_first(mapping: Mapping) -> Accumulator:
    mapping.only("since first")
    return Since(_names(mapping, "since first"), first=True)


def _gap(mapping: Mapping) -> Accumulator:
    mapping.only("gap", "default", "after", "min", "max")
    mapping.require("default")
    after = _whole(mapping, "after", 3)
    if after < 2:
        mapping.entries["after"].wrong("a gap needs at least 2 events")
        after = 2
    least, most = _duration(mapping, "min", 0), _duration(mapping, "max", FOREVER)
    if least > most:
        mapping.entries["min"].wrong("'min' is longer than 'max'")
    return Gap(_names(mapping, "gap"), _duration(mapping, "default", 1), after, least, most)


def _rate(mapping: Mapping) -> Accumulator:
    mapping.only("rate", "half_life")
    mapping.require("half_life")
    return Decay(_names(mapping, "rate"), _positive(mapping, "half_life", _duration(mapping, "half_life", 1)))


def _latest(mapping: Mapping) -> Accumulator:
    mapping.only("latest", "of")
    mapping.require("of")
    return Latest(_property(mapping, "latest", ("products", "offer_ends")), _names(mapping, "of"))


def _property(mapping: Mapping, key: str, others: tuple[str, ...]) -> str:
    """The name of a property; ``others`` are those that hold something else than what is read here."""
    path = mapping.entries[key].text()
    if not path.isidentifier() or keyword.iskeyword(path) or path in others:
        mapping.entries[key].wrong(f"{path!r} is not a property that can be read here: use letters, digits and _")
        return "unknown"
    return path


def _bag(mapping: Mapping) -> Accumulator:
    mapping.only("bag", "add", "remove", "clear", "visit", "limit")
    mapping.require("add")
    if mapping.entries["bag"].text() != "products":
        mapping.entries["bag"].wrong("a bag holds products; write 'bag: products'")
    limit = _positive(mapping, "limit", _whole(mapping, "limit", 100))
    if limit > LARGEST_BAG:
        mapping.entries["limit"].wrong(f"a bag holds at most {LARGEST_BAG} products, so that a row stays small")
    roles = [_names(mapping, role) for role in ("add", "remove", "clear", "visit")]
    for i, names in enumerate(roles):
        for name in names:
            if any(name in other for other in roles[:i]):
                mapping.value.wrong(f"{name!r} plays two parts in this bag; keep one")
    add, remove, clear, visit = roles
    return Bag(add, remove, clear, visit, limit)


READERS: dict[str, Callable[[Mapping], Accumulator]] = {
    "bag": _bag,
    "count": _count,
    "gap": _gap,
    "latest": _latest,
    "rate": _rate,
    "since": _since,
    "since first": _since_first,
    "sum": _sum,
}

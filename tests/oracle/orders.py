"""The oracle's orders: what is left of them once refunds and cancellations are known, from all that happened.

- A feature with ``less`` looks at the orders (its events) that stand.  Which order is meant is told by ``by``, which is
  ``order_id`` for events that begin with "Order "; of others, without ``by``, just so many or so much is subtracted.
- An ``Order Cancelled`` takes everything back, and so does a refund that names neither a total nor products.  Any other
  lowers the order by its total, or else by what its products cost, if all of them say it; an order of which nothing is
  left is gone.  Of other properties, a refund takes back what it says of them.
- What has no order, as far as is known, lowers sums, and nothing else: as of its own instant, or of the latest one that
  was for the same order.
- A filter asks the order; so with a filter, what has no order takes nothing back.
- It does not matter in which order they come.  An order told again under the same id counts once.

Histories must not be longer than what a book keeps (``last``): what lies beyond is tested on its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.oracle.filters import passing

if TYPE_CHECKING:
    from tests.oracle.features import Happened

#: What is left of the property of an order.
LEFT = "left"
AMOUNTS = ("sum", "mean", "min", "max")


def names_in(spec: Any) -> list[str]:
    """One name or a list of them."""
    return [spec] if isinstance(spec, str) else list(spec or ())


def word_of(spec: Mapping[str, Any]) -> str:
    """What kind of feature it is."""
    words = ("gap", "since", "since first", "count", *AMOUNTS)
    return next((word for word in words if word in spec), "")


def goes_by(spec: Mapping[str, Any]) -> str | None:
    """The property that tells which order is meant; None: none does."""
    if "less" not in spec:
        return None
    orders = all(name.startswith("Order ") for name in [*names_in(of(spec)), *names_in(spec["less"])])
    return str(spec["by"]) if "by" in spec else "order_id" if orders else None


def of(spec: Mapping[str, Any]) -> list[str]:
    """The events that order."""
    return names_in(spec["of"] if "of" in spec else spec[word_of(spec)])


def cost(happened: Happened) -> float | None:
    """What the products come to; None where one does not say it."""
    products = happened.properties.get("products", [])
    prices = [(p.get("price"), p.get("quantity", 1)) for p in products]
    return None if any(price is None for price, _ in prices) else float(sum(price * many for price, many in prices))


def amount(happened: Happened) -> float | None:
    """What an order or a refund amounts to."""
    if "total" in happened.properties:
        return float(happened.properties["total"])
    return cost(happened) if happened.properties.get("products") else None


def whole(refund: Happened) -> bool:
    """Whether it takes everything back."""
    named = "total" in refund.properties or refund.properties.get("products")
    return refund.name == "Order Cancelled" or not named


def gone(order: Happened, refunds: Sequence[Happened]) -> bool:
    """Whether nothing is left of an order."""
    amounts = [x for x in map(amount, refunds) if x is not None]
    total = amount(order)
    return any(map(whole, refunds)) or (bool(amounts) and total is not None and sum(amounts) >= total)


def told(happened: Happened, path: str) -> float | None:
    """What an event says of a property: the sum over its products of theirs."""
    if path.startswith("products."):
        name = path.removeprefix("products.")
        found = [p.get(name, 1 if name == "quantity" else None) for p in happened.properties.get("products", [])]
        known = [x for x in found if x is not None]
        return float(sum(known)) if known else None
    return happened.properties.get(path)


def standing(
    spec: Mapping[str, Any], path: str | None, past: Sequence[Happened]
) -> tuple[list[Happened], list[Happened]]:
    """The orders that stand, with what is left of the property, and, negative, refunds without an order; other events
    are left out."""
    by = goes_by(spec)

    def key(happened: Happened) -> Any:
        return happened.properties.get(str(by)) or None

    orders = [e for e in past if e.name in of(spec)]
    refunds = [e for e in past if e.name in names_in(spec["less"])]
    known = {key(e) for e in orders} - {None}
    found, lost = [], []
    for order in orders:
        mine = [e for e in refunds if key(order) and key(e) == key(order)]
        if gone(order, mine) or ("where" in spec and not passing(spec["where"], order.properties)):
            continue
        x = told(order, path) if path else 1.0
        if x is not None:
            off = [taken(e, path) for e in mine] if path else []
            found.append(replace(order, properties={**order.properties, LEFT: x - sum(off)}))
    for refund in refunds:
        if path and key(refund) not in known and "where" not in spec:
            latest = max(e.t for e in refunds if e is refund or (key(e) and key(e) == key(refund)))
            lost.append(replace(refund, t=latest, properties={LEFT: -taken(refund, path)}))
    return found, lost


def taken(refund: Happened, path: str) -> float:
    """What a refund says of a property."""
    x = amount(refund) if path == "total" else told(refund, path)
    return x or 0.0


def over_orders(spec: Mapping[str, Any], past: Sequence[Happened], view: str) -> tuple[dict[str, Any], list[Happened]]:
    """The same feature without ``less``, and the events it is to be worked out from."""
    word = word_of(spec)
    found, lost = standing(spec, spec[word] if word in AMOUNTS else None, past)
    if word == "sum" and view != "mean":
        found += [replace(e, name=of(spec)[0]) for e in lost]
    others = [e for e in past if e.name not in of(spec) and e.name not in names_in(spec["less"])]
    plain = {key: value for key, value in spec.items() if key not in ("less", "by", "where")}
    return {**plain, "last": 1000, **({word: LEFT} if word in AMOUNTS else {})}, [*others, *found]

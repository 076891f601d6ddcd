"""What a customer will do, by models that are learned from all customers and published: whether they still are one,
whether and how often they will buy, what an order of theirs is worth, and what they will spend.

All of them go by the customer's history (:mod:`stream.features.history`) and by the numbers of the model of lifetimes
that is in force; until there is one they are missing.  Of who has bought once the models know what they know of all
such customers, which is told with every change (``of_population``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from numba.extending import register_jitable

from stream.features import fading, worth
from stream.features.base import FOREVER, Accumulator, Column, Constant, Kind, ModelNumbers, Reaction, Shape, View
from stream.features.filter import Filter
from stream.features.history import COUNT, FIRST, LAST, WORTH, History, OrderHistory, of_purchases

#: The model that they go by, and its numbers; times in ms, money in micros.
LIFETIME = "lifetime"
PURCHASES = ("r", "alpha", "a", "b")
SPEND = ("p", "q", "gamma")
#: A year of discounts, in ms.
YEAR = 365 * 86_400_000


@register_jitable
def last(r: Any, h: int) -> int:
    """The instant of the last purchase; of who bought on one day only, the first of that day."""
    return int(r[h + LAST] if r[h + COUNT] > 1 else r[h + FIRST])


def population(r: Any, f: Any, p: int, now: int, h: int, *rest: Any) -> bool:
    """Whether the customer has bought just once, so that nothing but the population speaks, where anything does."""
    m = rest[-1]
    return bool(r[h + COUNT] == 1 and m[0] == m[0])


def alive(r: Any, f: Any, p: int, now: int, h: int, m: Any) -> float:
    """The probability that the customer still is one."""
    return fading.alive(r[h + COUNT], r[h + FIRST], last(r, h), now, m[0], m[1], m[2], m[3])


def alive_until(r: Any, f: Any, p: int, now: int, k: float, h: int, m: Any) -> int:
    """Exact, by the closed form."""
    if m[0] != m[0]:
        return FOREVER
    return fading.alive_until(r[h + COUNT], r[h + FIRST], last(r, h), now, k, m[0], m[1], m[2], m[3])


def buys(r: Any, f: Any, p: int, now: int, h: int, horizon: float, m: Any) -> float:
    """The probability that they buy within the horizon."""
    return fading.buys(r[h + COUNT], r[h + FIRST], last(r, h), now, horizon, m[0], m[1], m[2], m[3])


def buys_until(r: Any, f: Any, p: int, now: int, k: float, h: int, horizon: float, m: Any) -> int:
    """Exact, by bisection."""
    if m[0] != m[0]:
        return FOREVER
    return fading.buys_until(r[h + COUNT], r[h + FIRST], last(r, h), now, k, horizon, m[0], m[1], m[2], m[3])


def expected(r: Any, f: Any, p: int, now: int, h: int, horizon: float, m: Any) -> float:
    """How often they will buy within the horizon."""
    if m[0] != m[0]:
        return math.nan
    return fading.expected(r[h + COUNT], r[h + FIRST], last(r, h), now, horizon, m[0], m[1], m[2], m[3])


def expected_until(r: Any, f: Any, p: int, now: int, k: float, h: int, horizon: float, m: Any) -> int:
    """Exact, by bisection."""
    if m[0] != m[0]:
        return FOREVER
    return fading.expected_until(r[h + COUNT], r[h + FIRST], last(r, h), now, k, horizon, m[0], m[1], m[2], m[3])


def order_value(r: Any, f: Any, p: int, now: int, h: int, m: Any) -> float:
    """What an order of theirs will be worth on average, in micros."""
    return worth.order_value(r[h + COUNT], f[h + WORTH], m[0], m[1], m[2])


def clv(r: Any, f: Any, p: int, now: int, h: int, horizon: float, rate: float, m: Any) -> float:
    """What they will spend within the horizon in money of today, in micros."""
    each = worth.order_value(r[h + COUNT], f[h + WORTH], m[4], m[5], m[6])
    if each != each or m[0] != m[0]:
        return math.nan
    count, first = r[h + COUNT], r[h + FIRST]
    return each * worth.discounted(count, first, last(r, h), now, horizon, rate, m[0], m[1], m[2], m[3])


def clv_until(r: Any, f: Any, p: int, now: int, k: float, h: int, horizon: float, rate: float, m: Any) -> int:
    """Exact, by a search."""
    each = worth.order_value(r[h + COUNT], f[h + WORTH], m[4], m[5], m[6])
    if each != each or m[0] != m[0]:
        return FOREVER
    count, first = r[h + COUNT], r[h + FIRST]
    return worth.worth_until(each, count, first, last(r, h), now, k, horizon, rate, m[0], m[1], m[2], m[3])


def clv_near(r: Any, f: Any, p: int, now: int, k: float, x: float, h: int, horizon: float, rate: float, m: Any) -> int:
    """Far ahead by a bound, close by exact."""
    each = worth.order_value(r[h + COUNT], f[h + WORTH], m[4], m[5], m[6])
    if each != each or m[0] != m[0]:
        return FOREVER
    count, first = r[h + COUNT], r[h + FIRST]
    return worth.worth_near(each, count, first, last(r, h), now, k, x, horizon, rate, m[0], m[1], m[2], m[3])


@dataclass(frozen=True)
class Predicted(Accumulator):
    """A feature that goes by a history, which the row holds beside it, and keeps nothing itself."""

    history: History | OrderHistory

    @property
    def of(self) -> str:
        """Which purchases the model must have been learned from."""
        return of_purchases(self.history)

    def behind(self, where: Filter) -> Predicted:
        """The same of the purchases that pass a filter."""
        return replace(self, history=replace(self.history, where=where))

    def columns(self) -> tuple[Column, ...]:
        return ()

    def book(self) -> Accumulator:
        return self.history

    def reactions(self) -> dict[str, Reaction]:
        return {}


@dataclass(frozen=True)
class Alive(Predicted):
    """``{alive: Order Completed, less: Order Cancelled, merge: 1d}``."""

    word: ClassVar[str] = "alive"

    def constants(self) -> tuple[Constant, ...]:
        return (ModelNumbers(LIFETIME, PURCHASES, self.of),)

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.SMOOTH, alive, alive_until, of_population=population)}


@dataclass(frozen=True)
class Buys(Predicted):
    """``{buys: Order Completed, within: 182d}``: the probability; ``{expected: ..., within: 365d}``: how often."""

    word: ClassVar[str] = "buys"
    within: int
    often: bool = False

    def constants(self) -> tuple[Constant, ...]:
        return (float(self.within), ModelNumbers(LIFETIME, PURCHASES, self.of))

    def views(self) -> dict[str, View]:
        if self.often:
            return {"": View(Kind.NUMBER, Shape.SMOOTH, expected, expected_until, of_population=population)}
        return {"": View(Kind.NUMBER, Shape.SMOOTH, buys, buys_until, of_population=population)}


def without_learning(of: tuple[str, ...], within: int, features: Iterable[Accumulator]) -> tuple[Predicted, ...]:
    """What the model of lifetimes says of whether one of these events comes within a horizon: P(alive) and P(buys);
    nothing where no feature keeps the purchases that these are."""
    kept = [one for one in features if isinstance(one, History | OrderHistory) and one.where is None]
    found = [one for one in kept if (one.of if isinstance(one, History) else one.orders.of) == of]
    history = min(found, key=repr, default=None)
    return () if history is None else (Alive(history), Buys(history, within))


@dataclass(frozen=True)
class OrderValue(Predicted):
    """``{order_value: total, of: Order Completed}``."""

    word: ClassVar[str] = "order_value"

    def constants(self) -> tuple[Constant, ...]:
        return (ModelNumbers(LIFETIME, SPEND, self.of),)

    def views(self) -> dict[str, View]:
        return {"": View(Kind.MONEY, Shape.CONSTANT, order_value, of_population=population)}


@dataclass(frozen=True)
class LifetimeValue(Predicted):
    """``{clv: total, of: Order Completed, within: 365d, discount: 10%}``; ``discount``: what money loses in a year."""

    word: ClassVar[str] = "clv"
    within: int
    discount: float

    def constants(self) -> tuple[Constant, ...]:
        rate = math.log1p(self.discount) / YEAR
        return (float(self.within), rate, ModelNumbers(LIFETIME, (*PURCHASES, *SPEND), self.of))

    def views(self) -> dict[str, View]:
        return {"": View(Kind.MONEY, Shape.SMOOTH, clv, clv_until, of_population=population, near=clv_near)}

"""Plain readings of features that predict: who bought on which days, and what the model says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stream.features import fading, worth
from stream.features.base import NEVER, ModelNumbers
from tests.plain_features import Reading, Seen, numbers, plus

#: A model whose time is as short as that of these tests, and the length of its day.
NUMBERS = {"r": 0.7, "alpha": 11.0, "a": 0.8, "b": 2.4, "p": 6.0, "q": 3.7, "gamma": 2.0}
MERGED = 8


def numbers_of(wanted: ModelNumbers) -> Any:
    """The numbers of the model by name."""
    return np.array([NUMBERS[name] for name in wanted.names])


def bought(es: Sequence[Seen]) -> tuple[int, int, int]:
    """On how many days, first and last; of one day only its first instant counts."""
    days, first = len({t // MERGED for t in plus(es)}), min(plus(es), default=NEVER)
    return days, first, max(plus(es)) if days > 1 else first


def predicted(what: Callable[..., float], *horizon: float) -> Reading:
    """What the model says of whoever bought then."""
    return lambda es, now: what(*bought(es), now, *horizon, *(NUMBERS[name] for name in ("r", "alpha", "a", "b")))


def worth_of_an_order(es: Sequence[Seen], now: int) -> float:
    """By what was bought after the first day."""
    day = bought(es)[1] // MERGED
    repeated = sum(x for t, x in numbers(es) if t // MERGED > day)
    return worth.order_value(bought(es)[0], repeated, NUMBERS["p"], NUMBERS["q"], NUMBERS["gamma"])


def lifetime_value(es: Sequence[Seen], now: int) -> float:
    """How often, times what an order is worth; money keeps its worth here."""
    return worth_of_an_order(es, now) * predicted(fading.expected, 9.0)(es, now)

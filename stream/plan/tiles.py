"""Shares of all customers in conditions, as comparisons with cuts: ``x in top 20%``, ``quintile(x) >= 4``.

A cut at a share is the smallest value that at least this share of the customers are at or below.  Who is above the cut
at 80% is in the top 20%; equal values are on the same side of every cut, and a value equal to a cut lies below it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from itertools import groupby

from stream.plan.lexer import Part
from stream.plan.problems import ExpressionError
from stream.plan.tree import Compare, Condition, Cut, Junction, Number

#: Functions that number equal parts of the customers from 1, the lowest values first: how many parts.
TILES = {"quartile": 4, "quintile": 5, "decile": 10}
_OPERATORS: dict[str, Callable[[int, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def part_of(x: Number, part: Part, negated: bool, at: int) -> Condition:
    """``x in top 20%`` and the like; what is missing is neither in a part nor outside it."""
    if not 0 < part.share < 1:
        raise ExpressionError(at, "a part of the customers is more than 0% and less than 100%")
    above = part.top != negated
    return Compare(">" if above else "<=", x, cut(x, 1 - part.share if part.top else part.share), at)


def tile_compared(function: str, x: Number, numbers: list[float], op: str, at: int) -> Condition:
    """``quintile(x) >= 4`` and the like; ``numbers`` has one member."""
    _check(function, numbers, at)
    return _in_tiles(function, x, [i for i in _all(function) if _OPERATORS[op](i, numbers[0])], at)


def tile_in(function: str, x: Number, numbers: list[float], negated: bool, at: int) -> Condition:
    """``quintile(x) in (4, 5)``."""
    _check(function, numbers, at)
    return _in_tiles(function, x, [i for i in _all(function) if (i in numbers) != negated], at)


def _all(function: str) -> range:
    return range(1, TILES[function] + 1)


def _check(function: str, numbers: Iterable[float], at: int) -> None:
    if any(k not in _all(function) for k in numbers):
        raise ExpressionError(at, f"{function}() is a whole number from 1 (the lowest values) to {TILES[function]}")


def _in_tiles(function: str, x: Number, numbers: list[int], at: int) -> Condition:
    """The value lies in one of these tiles: between cuts, for each run of neighbours."""
    n = TILES[function]
    if len(numbers) in (0, n):
        never = "never" if not numbers else "always"
        raise ExpressionError(at, f"this is {never} true: {function}() is a whole number from 1 to {n}")
    ranges = []
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        low, high = members[0], members[-1]
        ends: list[Condition] = []
        if low > 1:
            ends.append(Compare(">", x, cut(x, (low - 1) / n), at))
        if high < n:
            ends.append(Compare("<=", x, cut(x, high / n), at))
        ranges.append(joined("and", ends, at))
    return joined("or", ranges, at)


def joined(op: str, parts: list[Condition], at: int) -> Condition:
    """One condition of several, or the only one."""
    return parts[0] if len(parts) == 1 else Junction(op, tuple(parts), at)


def cut(x: Number, share: float) -> Cut:
    """The cut of a value at a share."""
    return Cut(round(share, 12), x, x.kind, x.at)

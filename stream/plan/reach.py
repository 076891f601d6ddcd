"""Segments that nobody can ever be in, where that can be proven simply: one above surely wins, or nothing satisfies it.

A condition is read as parts that must all hold.  Above another segment, one whose every part follows from a part of the
other surely wins.  Parts follow from one another where they are the same, or compare the same value with literals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from stream.plan.dimension import Definitions, Dimension, Segment
from stream.plan.problems import Place
from stream.plan.tree import Compare, Condition, Cut, Junction, Literal, Number, OneOf
from stream.plan.words import show


@dataclass(frozen=True)
class Unreachable:
    """A segment that nobody can be in: where its condition stands, and why."""

    dimension: str
    segment: str
    place: Place
    why: str


@dataclass(frozen=True)
class _Range:
    """The numbers that a comparison with a literal allows; ``key`` says of what."""

    key: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def within(self, other: _Range) -> bool:
        """Whether everything here is in the other, too."""
        above = self.low > other.low or (self.low == other.low and (self.open_low or not other.open_low))
        below = self.high < other.high or (self.high == other.high and (self.open_high or not other.open_high))
        return self.key == other.key and above and below

    def apart(self, other: _Range) -> bool:
        """Whether nothing is in both."""
        low, high = (self, other) if self.high <= other.low else (other, self)
        if self.key != other.key or low.high > high.low:
            return False
        return low.high < high.low or low.open_high or high.open_low


def unreachable(definitions: Definitions) -> list[Unreachable]:
    """The segments of which it is proven, in the order of dimensions and segments."""
    return [found for dimension in definitions.dimensions for found in _of(dimension)]


def _of(dimension: Dimension) -> Iterator[Unreachable]:
    for k, segment in enumerate(dimension.segments):
        why = _contradiction(segment.when) or next(
            (
                f"whoever meets {show(segment.when)!r} is in {above.name!r} above it, by {show(above.when)!r}"
                for above in dimension.segments[:k]
                if _always_wins(above) and above.every == segment.every and _follows(above.when, segment.when)
            ),
            None,
        )
        if why is not None:
            yield Unreachable(dimension.name, segment.name, segment.place or dimension.place, why)


def _always_wins(segment: Segment) -> bool:
    """Whether everyone for whom its condition holds is in it."""
    return not (segment.came_from or segment.leave or segment.lasts is not None or segment.cooldown is not None)


def _parts(condition: Condition) -> tuple[Condition, ...]:
    """What must all hold."""
    if isinstance(condition, Junction) and condition.op == "and":
        return tuple(part for one in condition.parts for part in _parts(one))
    return (condition,)


def _follows(condition: Condition, given: Condition) -> bool:
    """Whether a condition surely holds where another does."""
    if isinstance(given, Junction) and given.op == "or":
        return all(_follows(condition, part) for part in given.parts)
    if isinstance(condition, Junction) and condition.op == "or":
        return any(_follows(part, given) for part in condition.parts)
    known = _parts(given)
    return all(any(_implies(one, part) for one in known) or _follows_or(part, given) for part in _parts(condition))


def _follows_or(part: Condition, given: Condition) -> bool:
    """The same for a part that is itself a choice."""
    return isinstance(part, Junction) and part.op == "or" and any(_follows(one, given) for one in part.parts)


def _implies(one: Condition, other: Condition) -> bool:
    """Whether the second holds wherever the first does."""
    if show(one) == show(other):
        return True
    if isinstance(one, OneOf) and isinstance(other, OneOf) and show(one.subject) == show(other.subject):
        mine, theirs = set(one.texts), set(other.texts)
        if not one.negated:
            return mine <= theirs if not other.negated else not mine & theirs
        return other.negated and theirs <= mine
    a, b = _range(one), _range(other)
    return a is not None and b is not None and a.within(b)


def _contradiction(condition: Condition) -> str | None:
    """Why a condition can never hold, where two of its parts exclude each other."""
    parts = _parts(condition)
    for k, one in enumerate(parts):
        for other in parts[k + 1 :]:
            a, b = _range(one), _range(other)
            texts = isinstance(one, OneOf) and isinstance(other, OneOf) and _exclusive(one, other)
            if texts or (a is not None and b is not None and a.apart(b)):
                return f"{show(one)!r} and {show(other)!r} never hold together"
    return None


def _exclusive(one: OneOf, other: OneOf) -> bool:
    if show(one.subject) != show(other.subject):
        return False
    if one.negated == other.negated:
        return not one.negated and not set(one.texts) & set(other.texts)
    plain, negated = (other, one) if one.negated else (one, other)
    return set(plain.texts) <= set(negated.texts)


def _range(condition: Condition) -> _Range | None:
    """What a comparison with a literal, or with a cut of the value itself, allows."""
    if not isinstance(condition, Compare):
        return None
    op, left, right = condition.op, condition.left, condition.right
    if isinstance(left, Literal):
        op, left, right = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}.get(op, op), right, left
    level = _level(left, right)
    if level is None:
        return None
    key, k = level
    match op:
        case ">=" | ">":
            return _Range(key, low=k, open_low=op == ">")
        case "<=" | "<":
            return _Range(key, high=k, open_high=op == "<")
        case "==":
            return _Range(key, low=k, high=k)
    return None


def _level(left: Number, right: Number) -> tuple[str, float] | None:
    """What is compared, and with which number: a literal, or the share of a cut."""
    if isinstance(left, Literal):
        return None
    if isinstance(right, Literal):
        return show(left), right.value
    if isinstance(right, Cut) and show(right.of) == show(left):
        return f"share of {show(left)}", right.share
    return None

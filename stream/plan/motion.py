"""How numbers move while nothing happens, and how a comparison of two of them is solved.

A comparison's crossing has a known form where its sides stand still, step at known instants, move along lines, or where
one of them is smooth and scaled by what stands still.  Everything else has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from stream.features.base import Kind, Shape
from stream.plan.tree import (
    Arithmetic,
    Call,
    Compare,
    Condition,
    FeatureRef,
    Known,
    Literal,
    Number,
    SegmentRef,
    SegmentSince,
    walk,
)

MIRROR = {">=": "<=", ">": "<", "<=": ">=", "<": ">", "==": "==", "!=": "!="}
#: How the message about a comparison without a known crossing begins.
UNSOLVED = "when this comparison changes by itself cannot be worked out: it has"


class MotionError(Exception):
    """A comparison whose crossing has no known form."""


@dataclass(frozen=True)
class Motion:
    """How a number moves: its slope (a millisecond), whether it also steps, and its smooth part."""

    slope: Number | None = None
    steps: bool = False
    smooth: FeatureRef | None = None

    @property
    def still(self) -> bool:
        """Whether only events change it."""
        return self.slope is None and not self.steps and self.smooth is None


class Way(Enum):
    """How the next crossing of a comparison is found."""

    STEPS = "steps"  # it only changes at known instants, if ever
    CLOCK = "clock"  # the left side grows by one a millisecond, the right one does not move along a line
    LINES = "lines"  # the zero of a line
    SMOOTH = "smooth"  # the closed form of the left side's smooth part


@dataclass(frozen=True)
class Crossing:
    """A comparison as it is solved: perhaps with its sides exchanged."""

    way: Way
    compare: Compare
    left: Motion
    right: Motion


def motion(node: Number) -> Motion:
    """How a number moves with time; raises :class:`MotionError` where that has no known form."""
    match node:
        case FeatureRef(shape=Shape.LOOKED):
            raise MotionError("a prediction, which moves with all that it is made from")
        case FeatureRef():
            return {
                Shape.CONSTANT: Motion(),
                Shape.LINEAR: Motion(slope=_number(1.0)),
                Shape.STEPS: Motion(steps=True),
                Shape.SMOOTH: Motion(smooth=node),
            }[node.shape]
        case SegmentSince():
            return Motion(slope=_number(1.0))
        case Call():
            inner = motion(node.argument)
            if inner.slope is not None or inner.smooth is not None:
                raise MotionError(f"{node.function}() of something that moves with time")
            return inner
        case Arithmetic():
            return _combined(node, motion(node.left), motion(node.right))
    return Motion()


def _number(value: float) -> Literal:
    return Literal(value, Kind.NUMBER, 0)


def _combined(node: Arithmetic, a: Motion, b: Motion) -> Motion:
    steps = a.steps or b.steps
    if a.smooth or b.smooth:
        return _combined_smooth(node, a, b)
    if a.slope is None and b.slope is None:
        return Motion(steps=steps)
    if node.op in "+-":
        return Motion(_slope(node.op, a.slope or _number(0.0), b.slope or _number(0.0)), steps)
    if node.op == "*" and b.slope is None and a.slope is not None:
        return Motion(_slope("*", a.slope, node.right), steps)
    if node.op == "*" and a.slope is None and b.slope is not None:
        return Motion(_slope("*", b.slope, node.left), steps)
    if node.op == "/" and b.slope is None and a.slope is not None:
        return Motion(_slope("/", a.slope, node.right), steps)
    raise MotionError("a product or quotient of two values that both move with time")


def _slope(op: str, left: Number, right: Number) -> Number:
    return Arithmetic(op, left, right, Kind.NUMBER, 0)


def _combined_smooth(node: Arithmetic, a: Motion, b: Motion) -> Motion:
    """A smooth value may be scaled by what stands still; everything else has no closed form."""
    if node.op in "*/" and a.smooth and b.still:
        return a
    if node.op == "*" and b.smooth and a.still:
        return b
    raise MotionError("a decaying rate in a sum, or two of them")


def crossing(node: Compare) -> Crossing:
    """How a comparison is solved; raises :class:`MotionError` where its crossing has no known form."""
    left, right = motion(node.left), motion(node.right)
    if _first(node.right) > _first(node.left) or right.smooth:
        if left.smooth:
            raise MotionError("two values that decay")
        node = Compare(MIRROR[node.op], node.right, node.left, node.at)
        left, right = right, left
    if left.smooth:
        if not right.still:
            raise MotionError("a decaying rate compared with something that moves with time too")
        return Crossing(Way.SMOOTH, node, left, right)
    if left.slope is None and right.slope is None:
        return Crossing(Way.STEPS, node, left, right)
    if right.slope is None and _first(node.left) == 2:
        return Crossing(Way.CLOCK, node, left, right)
    return Crossing(Way.LINES, node, left, right)


def _first(node: Number) -> int:
    """Which side is solved for: one that is a clock of its own, else one that counts."""
    if isinstance(node, SegmentSince) or (isinstance(node, FeatureRef) and node.shape is Shape.LINEAR):
        return 2
    return 1 if isinstance(node, FeatureRef) and node.shape is Shape.STEPS else 0


def unsolved(condition: Condition) -> Iterator[tuple[int, str]]:
    """The comparisons of a condition whose crossing has no known form: column, and why."""
    for node in walk(condition):
        try:
            if isinstance(node, Compare):
                crossing(node)
            elif isinstance(node, Known) and not isinstance(node.of, SegmentRef):
                motion(node.of)
        except MotionError as error:
            yield node.at, str(error)

"""What names in a condition mean, and numbers as they are written."""

from __future__ import annotations

import ast
import math
from typing import Protocol

from stream.durations import LONGEST
from stream.features.base import Kind, Shape
from stream.plan.lexer import duration_named, part_named
from stream.plan.problems import ExpressionError, suggest
from stream.plan.tree import Expression, FeatureRef, Literal, SegmentRef, SegmentSince

#: What to do instead of a condition that always holds.
ALWAYS = "a condition asks something of the customer; for whoever is in no other segment write 'otherwise: NAME'"


class Names(Protocol):
    """What names mean in a condition."""

    def view(self, feature: str, view: str) -> tuple[Kind, Shape] | None:
        """Type and shape of a feature's view, or None where there is none."""

    def features(self) -> list[str]:
        """All feature names."""

    def views(self, feature: str) -> list[str]:
        """The named views of a feature."""

    def segments(self, dimension: str) -> tuple[str, ...] | None:
        """The segments of a dimension, or None where there is none."""

    def dimensions(self) -> list[str]:
        """All dimension names."""


class Naming:
    """Finds what names mean; a name that means nothing raises `ExpressionError`, with what may have been meant."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def name(self, name: str, at: int) -> Expression:
        """A feature, or a literal that the lexer named."""
        duration = duration_named(name)
        if duration is not None:
            return Literal(duration, Kind.DURATION, at)
        if part_named(name):
            raise ExpressionError(at, "a part of the customers stands after `in`: `spend in top 20%`")
        if name in ("true", "false", "yes", "no") and self._names.view(name, "") is None:
            raise ExpressionError(at, f"there is no feature {name!r}; {ALWAYS}")
        if name == "segment":
            raise ExpressionError(at, "say of which dimension: `segment.lifecycle`")
        return self.feature(name, "", at)

    def feature(self, name: str, view: str, at: int) -> FeatureRef:
        """A view of a feature."""
        found = self._names.view(name, view)
        if found is None and self._names.view(name, "") is not None:
            raise ExpressionError(at, f"{name!r} has no {view!r}{suggest(view, self._names.views(name))}")
        if found is None:
            raise ExpressionError(at, f"there is no feature {name!r}{suggest(name, self._names.features())}")
        return FeatureRef(name, view, found[0], found[1], at)

    def attribute(self, node: ast.Attribute, at: int) -> Expression:
        """``feature.view``, ``segment.dimension`` and what can be asked of that."""
        match node.value:
            case ast.Name(id="segment"):
                return SegmentRef(self.dimension(node.attr, at), at)
            case ast.Attribute(value=ast.Name(id="segment"), attr=dimension):
                name = self.dimension(dimension, at)
                if node.attr == "since":
                    return SegmentSince(name, at)
                if node.attr == "before":
                    return SegmentRef(name, at, before=True)
                known = suggest(node.attr, ("before", "since"))
                raise ExpressionError(at, f"the segment of a dimension has no {node.attr!r}{known}")
            case ast.Name() as owner:
                return self.feature(owner.id, node.attr, at)
        raise ExpressionError(at, "only a feature or `segment` has parts, after one dot")

    def dimension(self, name: str, at: int) -> str:
        """A dimension's name; a hyphen in it is written as an underscore."""
        for one in self._names.dimensions():
            if name in (one, one.replace("-", "_")):
                return one
        raise ExpressionError(at, f"there is no dimension {name!r}{suggest(name, self._names.dimensions())}")

    def bare(self, node: ast.expr) -> str | None:
        """The text that names of no feature, perhaps with hyphens between them, may have been meant as."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            left, right = self.bare(node.left), self.bare(node.right)
            return None if left is None or right is None else f"{left}-{right}"
        if not isinstance(node, ast.Name) or duration_named(node.id) is not None or part_named(node.id):
            return None
        return node.id if node.id != "segment" and self._names.view(node.id, "") is None else None


def finite(value: float, kind: Kind, at: int) -> Literal:
    """A literal; raises where the number is too large to be one."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError(at, "this number is too large")
    if kind is Kind.DURATION and abs(number) > LONGEST:
        raise ExpressionError(at, "this is too long: a duration is at most 1000 years (365250d)")
    return Literal(number, kind, at)

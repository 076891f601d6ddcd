"""A typed expression as text again: in one canonical spelling, that reads back as the same tree; where asked, with
values in place of names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stream.durations import format_duration
from stream.features.base import Kind
from stream.plan.kinds import MICROS
from stream.plan.tiles import TILES
from stream.plan.tree import (
    Arithmetic,
    Call,
    Compare,
    Condition,
    Cut,
    Expression,
    FeatureRef,
    Junction,
    Known,
    Literal,
    Member,
    Not,
    Number,
    OneOf,
    SegmentRef,
    SegmentSince,
    ShareOf,
    Text,
)

_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _ATOM = range(8)


#: What stands where there is no value.
MISSING = "missing"


def show(node: Expression, put: Callable[[Expression], str | None] = lambda _: None) -> str:
    """The expression as an operator would write it.

    ``put`` gives what stands in place of a part, such as a feature's value in place of its name; None: its own text.
    """
    return _Words(put).text(node)


def percent(share: float) -> str:
    """``20%`` for 0.2."""
    return f"{round(share * 100, 10):g}%"


def amount(value: float, kind: Kind) -> str:
    """A number of a kind, in the units in which it is written."""
    if value != value:
        return MISSING
    if kind is Kind.MONEY:
        return _plain(value / MICROS)
    if kind is Kind.DURATION and math.isfinite(value):
        return ("-" if value < 0 else "") + format_duration(abs(round(value)))
    return _plain(value)


def quoted(text: str) -> str:
    """A text as a literal of the language."""
    return f"'{text}'" if '"' in text else f'"{text}"'


def tile_of(node: Condition) -> tuple[str, Number, int] | None:
    """The equal part of the customers that a condition asks for: ("quintile", x, 4); None where it asks for none."""
    match node:
        case Junction("and", (Compare(">", x, Cut() as low), Compare("<=", y, Cut() as high))) if x == y == low.of:
            for function in ("quintile", "quartile", "decile"):
                n = TILES[function]
                number = round(high.share * n)
                if high.of == x and (low.share, high.share) == (round((number - 1) / n, 12), round(number / n, 12)):
                    return function, x, number
    return None


def _plain(value: float) -> str:
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(float(value))


def _name(dimension: str) -> str:
    return dimension.replace("-", "_")


def _written(argument: Expression) -> Expression:
    """An amount that a function takes in whole units is written without saying so."""
    match argument:
        case Arithmetic(op="/", left=left, right=Literal(kind=Kind.MONEY, value=value)) if value == MICROS:
            return left
    return argument


@dataclass(frozen=True)
class _Words:
    """Writes nodes, each with how strongly its outermost operator binds."""

    put: Callable[[Expression], str | None]

    def text(self, node: Expression, level: int = _OR) -> str:
        """The node, in brackets where it binds less than what is around it."""
        instead = self.put(node)
        text, own = (instead, _ATOM) if instead is not None else self.bare(node)
        return text if own >= level else f"({text})"

    def bare(self, node: Expression) -> tuple[str, int]:
        """The node as it stands alone."""
        match node:
            case Literal():
                return amount(node.value, node.kind), _SIGN if node.value < 0 else _ATOM
            case Text():
                return quoted(node.value), _ATOM
            case FeatureRef():
                return f"{node.feature}.{node.view}" if node.view else node.feature, _ATOM
            case SegmentRef():
                return f"segment.{_name(node.dimension)}{'.before' if node.before else ''}", _ATOM
            case SegmentSince():
                return f"segment.{_name(node.dimension)}.since", _ATOM
            case ShareOf():
                return f"share({quoted(node.name)})", _ATOM
            case Cut():
                return f"cut({percent(node.share)}, {self.text(node.of)})", _ATOM
            case Call():
                return f"{node.function}({self.text(_written(node.argument))})", _ATOM
            case Known():
                return f"known({self.text(node.of)})", _ATOM
            case Arithmetic(op="*", left=Literal(value=-1.0, kind=Kind.NUMBER)):
                return f"-{self.text(node.right, _SIGN)}", _SIGN
            case Arithmetic():
                level = _SUM if node.op in "+-" else _PRODUCT
                return f"{self.text(node.left, level)} {node.op} {self.text(node.right, level + 1)}", level
            case Compare():
                return self.comparison(node), _COMPARE
            case OneOf():
                return self.one_of(node), _COMPARE
            case Member():
                return f"{quoted(node.text)} {'not ' if node.negated else ''}in {self.text(node.subject)}", _COMPARE
            case Not():
                return f"not {self.text(node.part, _NOT)}", _NOT
            case Junction():
                return self.junction(node)

    def junction(self, node: Junction) -> tuple[str, int]:
        """Parts joined by ``and`` or ``or``; a value between two cuts is in a tile."""
        tile = tile_of(node)
        if tile is not None:
            function, x, number = tile
            return f"{function}({self.text(x)}) == {number}", _COMPARE
        level = _OR if node.op == "or" else _AND
        return f" {node.op} ".join(self.text(part, level + 1) for part in node.parts), level

    def comparison(self, node: Compare) -> str:
        """``left op right``, or a part of the customers."""
        left = self.text(node.left, _SUM)
        match node:
            case Compare(op=">", right=Cut() as cut) if cut.of == node.left:
                return f"{left} in top {percent(1 - cut.share)}"
            case Compare(op="<=", right=Cut() as cut) if cut.of == node.left:
                return f"{left} in bottom {percent(cut.share)}"
            case Compare(left=ShareOf(), right=Literal() as share):
                return f"{left} {node.op} {percent(share.value)}"
        return f"{left} {node.op} {self.text(node.right, _SUM)}"

    def one_of(self, node: OneOf) -> str:
        """A text, or another dimension's segment, among some."""
        subject = self.text(node.subject)
        if len(node.texts) == 1:
            return f"{subject} {'!=' if node.negated else '=='} {quoted(node.texts[0])}"
        return f"{subject} {'not ' if node.negated else ''}in ({', '.join(map(quoted, node.texts))})"

"""The condition language: Python's expression syntax over feature names, with duration literals; parsed and typed here.

    orders >= 1 and since_order >= 2 * usual_gap
    wishlist.size >= 1 and (wishlist.cheaper >= 1 or wishlist.on_offer >= 1)
    segment.lifecycle == "at-risk" and country in ("DK", "SE")

Text goes through Python's own parser to a syntax tree and never further: nothing is evaluated.  Every node of the typed
tree below knows its type (number, duration, money, text, truth) and its column for messages.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stream.durations import parse_duration
from stream.features.base import Kind, Shape
from stream.plan.problems import suggest
from stream.plan.tree import (
    Arithmetic,
    Call,
    Compare,
    Condition,
    Expression,
    FeatureRef,
    Junction,
    Literal,
    Not,
    Number,
    OneOf,
    SegmentRef,
    Text,
)

MICROS = 1_000_000
COMPARISONS = {ast.GtE: ">=", ast.Gt: ">", ast.LtE: "<=", ast.Lt: "<", ast.Eq: "==", ast.NotEq: "!="}
ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
#: Functions of one number; but for abs they are in `stream.plan.runtime`.
FUNCTIONS = ("abs", "log1p", "sqrt")


class ExpressionError(Exception):
    """A mistake in a condition: a sentence and the column (from 0) in the expression's own text."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


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


_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')|(?P<duration>(?<![\w.])\d+(?:ms|[dhms])(?:\d+(?:ms|[hms]))*(?!\w))|(?P<other>.)""",
    re.DOTALL,
)
_DURATION = "duration_{}_ms"
_DURATION_NAME = re.compile(r"duration_(\d+)_ms")


def _with_durations_named(source: str) -> tuple[str, list[int]]:
    """The text with each duration literal as a name, and for each of its characters the column it came from."""
    out, origin = [], []
    for match in _TOKEN.finditer(source.replace("\n", " ")):
        piece = match[0]
        if match["duration"]:
            try:
                piece = _DURATION.format(parse_duration(piece))
            except ValueError as error:
                raise ExpressionError(match.start(), str(error)) from error
            origin += [match.start()] * len(piece)
        else:
            origin += range(match.start(), match.end())
        out.append(piece)
    return "".join(out), origin


def parse_condition(source: str, names: Names) -> Condition:
    """The typed tree of a condition; raises :class:`ExpressionError`."""
    found = _parse(source, names)
    if isinstance(found, Compare | OneOf | Junction | Not):
        return found
    raise ExpressionError(0, "this is a value, not a condition; compare it with something, for instance `orders >= 3`")


def parse_number(source: str, names: Names) -> Number:
    """The typed tree of a numeric expression; raises :class:`ExpressionError`."""
    found = _parse(source, names)
    if isinstance(found, Literal | FeatureRef | Arithmetic | Call) and found.kind is not Kind.TEXT:
        return found
    raise ExpressionError(0, "expected a number here, not a condition or a text")


def _parse(source: str, names: Names) -> Expression:
    text, origin = _with_durations_named(source)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        raise ExpressionError(
            origin[min(column - 1, len(origin) - 1)] if origin else 0, "this cannot be read as a condition"
        ) from error
    shift = len(text) - len(text.lstrip())
    encoded = text.strip().encode()

    def place(offset: int) -> int:  # Python's columns count bytes
        return origin[min(len(encoded[:offset].decode()) + shift, len(origin) - 1)]

    try:
        return _Typer(names, place)(tree)
    except RecursionError as error:
        raise ExpressionError(0, "this is nested too deeply") from error


@dataclass(frozen=True)
class _Typer:
    """From Python's syntax tree to the typed one."""

    names: Names
    origin: Callable[[int], int]

    def __call__(self, node: ast.expr) -> Expression:
        at = self.origin(node.col_offset)
        match node:
            case ast.BoolOp():
                op = "and" if isinstance(node.op, ast.And) else "or"
                return Junction(op, tuple(self.condition(part) for part in node.values), at)
            case ast.UnaryOp(op=ast.Not()):
                return Not(self.condition(node.operand), at)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
                return self.negative(operand, at)
            case ast.Compare():
                return self.compare(node, at)
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                return self.arithmetic(ARITHMETIC[type(node.op)], self.number(node.left), self.number(node.right), at)
            case ast.Constant():
                return self.constant(node, at)
            case ast.Name():
                duration = _DURATION_NAME.fullmatch(node.id)
                if duration:
                    return Literal(float(duration[1]), Kind.DURATION, at)
                return self.feature(node.id, "", at)
            case ast.Attribute(value=ast.Name() as owner):
                return self.attribute(owner.id, node.attr, at)
            case ast.Call(func=ast.Name() as function, args=[argument], keywords=[]) if function.id in FUNCTIONS:
                return Call(function.id, self.plain(argument), Kind.NUMBER, at)
            case ast.Call(func=ast.Name() as function):
                known = ", ".join(FUNCTIONS)
                raise ExpressionError(at, f"{function.id!r} is not a function of one number; known are: {known}")
        raise ExpressionError(
            at, "this is not part of the language; use names, numbers, durations, and, or, not, comparisons, + - * /"
        )

    def condition(self, node: ast.expr) -> Condition:
        found = self(node)
        if isinstance(found, Compare | OneOf | Junction | Not):
            return found
        raise ExpressionError(self.origin(node.col_offset), "a condition is needed here, not a bare value")

    def number(self, node: ast.expr) -> Number:
        found = self(node)
        if isinstance(found, Literal | FeatureRef | Arithmetic | Call) and found.kind is not Kind.TEXT:
            return found
        raise ExpressionError(self.origin(node.col_offset), "a number, a duration or an amount is needed here")

    def plain(self, node: ast.expr) -> Number:
        """A number for a function; an amount counts in whole units of the currency."""
        found = self.number(node)
        if found.kind is Kind.MONEY:
            return Arithmetic("/", found, Literal(MICROS, Kind.MONEY, found.at), Kind.NUMBER, found.at)
        if found.kind is not Kind.NUMBER:
            raise ExpressionError(found.at, f"a plain number is needed here, not a {found.kind.value}; divide it first")
        return found

    def constant(self, node: ast.Constant, at: int) -> Expression:
        if isinstance(node.value, str):
            return Text(node.value, at)
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return finite(node.value, Kind.NUMBER, at)
        raise ExpressionError(at, f"{node.value!r} is not a number, a duration or a text")

    def negative(self, node: ast.Constant, at: int) -> Expression:
        found = self.constant(node, at)
        if isinstance(found, Literal):
            return Literal(-found.value, found.kind, at)
        raise ExpressionError(at, "only a number can be negative")

    def feature(self, name: str, view: str, at: int) -> FeatureRef:
        found = self.names.view(name, view)
        if found is None:
            raise ExpressionError(at, f"there is no feature {name!r}{suggest(name, self.names.features())}")
        return FeatureRef(name, view, found[0], found[1], at)

    def attribute(self, name: str, attribute: str, at: int) -> Expression:
        if name == "segment":
            if self.names.segments(attribute.replace("_", "-")) is None and self.names.segments(attribute) is None:
                known = suggest(attribute, self.names.dimensions())
                raise ExpressionError(at, f"there is no dimension {attribute!r}{known}")
            hyphened = attribute.replace("_", "-")
            return SegmentRef(attribute if self.names.segments(attribute) is not None else hyphened, at)
        if self.names.view(name, "") is None:
            raise ExpressionError(at, f"there is no feature {name!r}{suggest(name, self.names.features())}")
        if self.names.view(name, attribute) is None:
            raise ExpressionError(at, f"{name!r} has no {attribute!r}{suggest(attribute, self.names.views(name))}")
        return self.feature(name, attribute, at)

    def arithmetic(self, op: str, left: Number, right: Number, at: int) -> Number:
        if isinstance(left, Literal) and isinstance(right, Literal) and op in "*/" and right.value:
            value = left.value * right.value if op == "*" else left.value / right.value
            return finite(value, _arithmetic_kind(op, left, right, at), at)
        return Arithmetic(op, left, right, _arithmetic_kind(op, left, right, at), at)

    def compare(self, node: ast.Compare, at: int) -> Condition:
        parts = []
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self.one_comparison(left, op, right, at))
            left = right
        return parts[0] if len(parts) == 1 else Junction("and", tuple(parts), at)

    def one_comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, at: int) -> Condition:
        if isinstance(op, ast.In | ast.NotIn):
            return self.one_of(self(left), self.texts(right), isinstance(op, ast.NotIn), at)
        if type(op) not in COMPARISONS:
            raise ExpressionError(at, "compare with ==, !=, <, <=, >, >=, in or not in")
        a, b = self(left), self(right)
        if isinstance(a, Text) and not isinstance(b, Text):
            a, b = b, a
        if isinstance(b, Text):
            if not isinstance(op, ast.Eq | ast.NotEq):
                raise ExpressionError(b.at, "a text is compared with == or !=, or with `in`")
            return self.one_of(a, (b.value,), isinstance(op, ast.NotEq), at)
        x, y = _same_kind(self.number(left), self.number(right))
        return Compare(COMPARISONS[type(op)], x, y, at)

    def texts(self, node: ast.expr) -> tuple[str, ...]:
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            members = [self(member) for member in node.elts]
            if members and all(isinstance(member, Text) for member in members):
                return tuple(member.value for member in members if isinstance(member, Text))
        raise ExpressionError(self.origin(node.col_offset), 'write the texts in brackets: `in ("DK", "SE")`')

    def one_of(self, subject: Expression, texts: tuple[str, ...], negated: bool, at: int) -> Condition:
        if isinstance(subject, SegmentRef):
            known = self.names.segments(subject.dimension) or ()
            for text in texts:
                if text not in known:
                    message = f"dimension {subject.dimension!r} has no segment {text!r}{suggest(text, known)}"
                    raise ExpressionError(at, message)
            return OneOf(subject, texts, negated, at)
        if isinstance(subject, FeatureRef) and subject.kind is Kind.TEXT:
            return OneOf(subject, texts, negated, at)
        kind = subject.kind.value if isinstance(subject, Literal | FeatureRef | Arithmetic | Call) else "value"
        raise ExpressionError(at, f"a {kind} cannot be compared with a text")


def finite(value: float, kind: Kind, at: int) -> Literal:
    """A literal; raises where the number is too large to be one."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ExpressionError(at, "this number is too large")
    return Literal(number, kind, at)


def _arithmetic_kind(op: str, left: Number, right: Number, at: int) -> Kind:
    """The type of ``left op right``; raises where the operation means nothing."""
    a, b = left.kind, right.kind
    if op in "+-" and a is b:
        return a
    if op == "*" and Kind.NUMBER in (a, b):
        return b if a is Kind.NUMBER else a
    if op == "/":
        if a is b:
            return Kind.NUMBER
        if b is Kind.NUMBER:
            return a
    words = {"+": "added to", "-": "subtracted from", "*": "multiplied with", "/": "divided by"}
    raise ExpressionError(at, f"a {a.value} cannot be {words[op]} a {b.value}")


def _same_kind(a: Number, b: Number) -> tuple[Number, Number]:
    """Both sides in one unit: a bare number beside an amount is an amount; everything else must agree."""
    if a.kind is b.kind:
        return a, b
    if a.kind is Kind.MONEY and isinstance(b, Literal) and b.kind is Kind.NUMBER:
        return a, Literal(b.value * MICROS, Kind.MONEY, b.at)
    if b.kind is Kind.MONEY and isinstance(a, Literal) and a.kind is Kind.NUMBER:
        return Literal(a.value * MICROS, Kind.MONEY, a.at), b
    hint = "; write a duration such as 30d" if Kind.DURATION in (a.kind, b.kind) else ""
    raise ExpressionError(b.at, f"a {a.kind.value} cannot be compared with a {b.kind.value}{hint}")

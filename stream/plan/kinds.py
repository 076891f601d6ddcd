"""Which types meet in a condition: what can be added, what can be compared, and how a mistake names them."""

from __future__ import annotations

from typing import TypeGuard, get_args

from stream.features.base import Kind
from stream.plan.problems import ExpressionError
from stream.plan.tree import Condition, Expression, FeatureRef, Literal, Number, SegmentRef, Text

MICROS = 1_000_000
#: More whole units of a currency than anybody has.
MOST_MONEY = 1e15
#: What a type is called in a message.
WORDS = {
    Kind.NUMBER: "a number",
    Kind.DURATION: "a duration",
    Kind.MONEY: "an amount of money",
    Kind.TEXT: "a text",
    Kind.TEXTS: "a list of texts",
}
NUMBERS: tuple[type, ...] = get_args(Number)
CONDITIONS: tuple[type, ...] = get_args(Condition)


def what(node: Expression) -> str:
    """What a part of an expression is, with its article."""
    match node:
        case Text():
            return "a text"
        case SegmentRef():
            return "the segment of a dimension"
        case _ if is_condition(node):
            return "a condition"
    return WORDS[getattr(node, "kind", Kind.NUMBER)]


def is_number(node: Expression) -> TypeGuard[Number]:
    """Whether it can be computed with: a number, a duration, an amount."""
    texts = isinstance(node, FeatureRef) and node.kind in (Kind.TEXT, Kind.TEXTS)
    return isinstance(node, NUMBERS) and not texts


def is_condition(node: Expression) -> TypeGuard[Condition]:
    """Whether it is true or false."""
    return isinstance(node, CONDITIONS)


def arithmetic_kind(op: str, left: Number, right: Number, at: int) -> Kind:
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
    first, second = (right, left) if op == "-" else (left, right)
    raise ExpressionError(at, f"{WORDS[first.kind]} cannot be {words[op]} {WORDS[second.kind]}")


def same_kind(a: Number, b: Number) -> tuple[Number, Number]:
    """Both sides in one unit: a bare number beside an amount is an amount; everything else must agree."""
    if a.kind is b.kind:
        return a, b
    if a.kind is Kind.MONEY and isinstance(b, Literal) and b.kind is Kind.NUMBER:
        return a, _amount(b)
    if b.kind is Kind.MONEY and isinstance(a, Literal) and a.kind is Kind.NUMBER:
        return _amount(a), b
    hint = "; write a duration such as 30d" if Kind.DURATION in (a.kind, b.kind) else ""
    raise ExpressionError(b.at, f"{WORDS[a.kind]} cannot be compared with {WORDS[b.kind]}{hint}")


def _amount(number: Literal) -> Literal:
    """A bare number as an amount of so many whole units."""
    if abs(number.value) > MOST_MONEY:
        raise ExpressionError(number.at, "this amount is too large")
    return Literal(number.value * MICROS, Kind.MONEY, number.at)

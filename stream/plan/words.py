"""A typed expression as text again: in one canonical spelling, that reads back as the same tree."""

from __future__ import annotations

from stream.durations import format_duration
from stream.features.base import Kind
from stream.plan.kinds import MICROS
from stream.plan.tree import (
    Arithmetic,
    Call,
    Compare,
    Cut,
    Expression,
    FeatureRef,
    Junction,
    Known,
    Literal,
    Member,
    Not,
    OneOf,
    SegmentRef,
    SegmentSince,
    ShareOf,
    Text,
)

_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _ATOM = range(8)


def show(node: Expression) -> str:
    """The expression as an operator would write it."""
    return _shown(node)[0]


def percent(share: float) -> str:
    """``20%`` for 0.2."""
    return f"{round(share * 100, 10):g}%"


def amount(value: float, kind: Kind) -> str:
    """A literal of a kind, in the units in which it is written."""
    if kind is Kind.MONEY:
        return _plain(value / MICROS)
    if kind is Kind.DURATION and value == int(value):
        return ("-" if value < 0 else "") + format_duration(abs(int(value)))
    return _plain(value)


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _within(node: Expression, level: int) -> str:
    """The text of a part, in brackets where it binds less than what is around it."""
    text, own = _shown(node)
    return text if own >= level else f"({text})"


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def _shown(node: Expression) -> tuple[str, int]:
    """The text, and how strongly its outermost operator binds."""
    match node:
        case Literal():
            return amount(node.value, node.kind), _SIGN if node.value < 0 else _ATOM
        case Text():
            return _quoted(node.value), _ATOM
        case FeatureRef():
            return f"{node.feature}.{node.view}" if node.view else node.feature, _ATOM
        case SegmentRef():
            return f"segment.{_name(node.dimension)}{'.before' if node.before else ''}", _ATOM
        case SegmentSince():
            return f"segment.{_name(node.dimension)}.since", _ATOM
        case ShareOf():
            return f"share({_quoted(node.name)})", _ATOM
        case Cut():
            return f"cut({percent(node.share)}, {show(node.of)})", _ATOM
        case Call():
            return f"{node.function}({show(_written(node.argument))})", _ATOM
        case Known():
            return f"known({show(node.of)})", _ATOM
        case Arithmetic(op="*", left=Literal(value=-1.0, kind=Kind.NUMBER)):
            return f"-{_within(node.right, _SIGN)}", _SIGN
        case Arithmetic():
            level = _SUM if node.op in "+-" else _PRODUCT
            return f"{_within(node.left, level)} {node.op} {_within(node.right, level + 1)}", level
        case Compare():
            return _comparison(node), _COMPARE
        case OneOf():
            return _one_of(node), _COMPARE
        case Member():
            return f"{_quoted(node.text)} {'not ' if node.negated else ''}in {show(node.subject)}", _COMPARE
        case Not():
            return f"not {_within(node.part, _NOT)}", _NOT
        case Junction():
            level = _OR if node.op == "or" else _AND
            return f" {node.op} ".join(_within(part, level + 1) for part in node.parts), level


def _written(argument: Expression) -> Expression:
    """An amount that a function takes in whole units is written without saying so."""
    match argument:
        case Arithmetic(op="/", left=left, right=Literal(kind=Kind.MONEY)):
            return left
    return argument


def _name(dimension: str) -> str:
    return dimension.replace("-", "_")


def _comparison(node: Compare) -> str:
    match node:
        case Compare(op=">", right=Cut() as cut) if cut.of == node.left:
            return f"{_within(node.left, _SUM)} in top {percent(1 - cut.share)}"
        case Compare(op="<=", right=Cut() as cut) if cut.of == node.left:
            return f"{_within(node.left, _SUM)} in bottom {percent(cut.share)}"
        case Compare(left=ShareOf(), right=Literal() as share):
            return f"{show(node.left)} {node.op} {percent(share.value)}"
    return f"{_within(node.left, _SUM)} {node.op} {_within(node.right, _SUM)}"


def _one_of(node: OneOf) -> str:
    if len(node.texts) == 1:
        return f"{show(node.subject)} {'!=' if node.negated else '=='} {_quoted(node.texts[0])}"
    return f"{show(node.subject)} {'not ' if node.negated else ''}in ({', '.join(map(_quoted, node.texts))})"

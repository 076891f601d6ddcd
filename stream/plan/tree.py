"""The typed tree of a condition, and what can be read off it without evaluating anything."""

from __future__ import annotations

from dataclasses import dataclass

from stream.features.base import Kind, Shape


@dataclass(frozen=True)
class Literal:
    """A number in the unit of its kind: milliseconds, micros, or as written."""

    value: float
    kind: Kind
    at: int


@dataclass(frozen=True)
class Text:
    """A text in quotes."""

    value: str
    at: int


@dataclass(frozen=True)
class FeatureRef:
    """The value of a feature (its view ``""`` or a named one)."""

    feature: str
    view: str
    kind: Kind
    shape: Shape
    at: int


@dataclass(frozen=True)
class SegmentRef:
    """The segment the customer is in, in another dimension."""

    dimension: str
    at: int


@dataclass(frozen=True)
class Arithmetic:
    """``left op right``."""

    op: str
    left: Number
    right: Number
    kind: Kind
    at: int


@dataclass(frozen=True)
class Call:
    """A function of one number."""

    function: str
    argument: Number
    kind: Kind
    at: int


@dataclass(frozen=True)
class Compare:
    """A comparison of two numbers of one kind."""

    op: str
    left: Number
    right: Number
    at: int


@dataclass(frozen=True)
class OneOf:
    """A text feature, or the segment of a dimension, is (or with ``negated`` is not) one of some texts."""

    subject: FeatureRef | SegmentRef
    texts: tuple[str, ...]
    negated: bool
    at: int


@dataclass(frozen=True)
class Junction:
    """``and`` or ``or`` over two or more conditions."""

    op: str
    parts: tuple[Condition, ...]
    at: int


@dataclass(frozen=True)
class Not:
    """``not``."""

    part: Condition
    at: int


Number = Literal | FeatureRef | Arithmetic | Call
Condition = Compare | OneOf | Junction | Not
Expression = Number | Condition | Text | SegmentRef


def references(expression: Expression) -> set[tuple[str, str]]:
    """The (feature, view) pairs an expression speaks of."""
    match expression:
        case FeatureRef():
            return {(expression.feature, expression.view)}
        case Arithmetic() | Compare():
            return references(expression.left) | references(expression.right)
        case Call():
            return references(expression.argument)
        case OneOf():
            return references(expression.subject)
        case Junction():
            return set().union(*(references(part) for part in expression.parts))
        case Not():
            return references(expression.part)
    return set()


def dimensions(expression: Expression) -> set[str]:
    """The other dimensions a condition speaks of."""
    match expression:
        case OneOf(subject=SegmentRef() as other):
            return {other.dimension}
        case Junction():
            return set().union(*(dimensions(part) for part in expression.parts))
        case Not():
            return dimensions(expression.part)
    return set()


def thresholds(expression: Expression) -> dict[str, float | None]:
    """For each feature compared: the greatest number it is compared with, None where that is no literal."""
    found: dict[str, float | None] = {}

    def note(name: str, k: float | None) -> None:
        found[name] = None if k is None or found.get(name, 0) is None else max(k, found.get(name) or 0)

    def walk(node: Expression) -> None:
        match node:
            case Compare(left=FeatureRef() as ref, right=Literal() as k):
                note(ref.feature, k.value)
            case Compare(left=Literal() as k, right=FeatureRef() as ref):
                note(ref.feature, k.value)
            case Compare():
                for name, _ in references(node):
                    note(name, None)
            case Junction():
                for part in node.parts:
                    walk(part)
            case Not():
                walk(node.part)
            case Arithmetic() | Call() | FeatureRef():
                for name, _ in references(node):
                    note(name, None)

    walk(expression)
    return found

"""The typed tree of a condition, and what can be read off it without evaluating anything."""

from __future__ import annotations

from collections.abc import Iterator
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
    """The segment the customer is in, in another dimension; with ``before`` the one they were in before it."""

    dimension: str
    at: int
    before: bool = False


@dataclass(frozen=True)
class SegmentSince:
    """How long ago the customer's segment in another dimension last changed; missing where it never did."""

    dimension: str
    at: int
    kind: Kind = Kind.DURATION


@dataclass(frozen=True)
class Cut:
    """What at least ``share`` (0 to 1) of the customers are at or below; learned, and missing until it is known."""

    share: float
    of: Number
    kind: Kind
    at: int


@dataclass(frozen=True)
class ShareOf:
    """The customer's place, from 0 up to 1, in the random order that a name gives all customers, once and for ever."""

    name: str
    at: int
    kind: Kind = Kind.NUMBER


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
class Member:
    """A text is (or with ``negated`` is not) among the texts of a feature that keeps several."""

    text: str
    subject: FeatureRef
    negated: bool
    at: int


@dataclass(frozen=True)
class Known:
    """Something is not missing."""

    of: Number | SegmentRef
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


Number = Literal | FeatureRef | Arithmetic | Call | Cut | ShareOf | SegmentSince
Condition = Compare | OneOf | Member | Known | Junction | Not
Expression = Number | Condition | Text | SegmentRef


def children(node: Expression) -> tuple[Expression, ...]:
    """The nodes right below one, in the order in which they are written."""
    match node:
        case Arithmetic() | Compare():
            return (node.left, node.right)
        case Call():
            return (node.argument,)
        case Cut() | Known():
            return (node.of,)
        case OneOf() | Member():
            return (node.subject,)
        case Junction():
            return node.parts
        case Not():
            return (node.part,)
    return ()


def walk(node: Expression) -> Iterator[Expression]:
    """A node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def references(expression: Expression) -> set[tuple[str, str]]:
    """The (feature, view) pairs an expression speaks of."""
    return {(node.feature, node.view) for node in walk(expression) if isinstance(node, FeatureRef)}


def dimensions(expression: Expression) -> set[str]:
    """The other dimensions an expression speaks of."""
    return {node.dimension for node in walk(expression) if isinstance(node, SegmentRef | SegmentSince)}


def cuts(expression: Expression) -> list[Cut]:
    """The cuts by share that an expression compares with, in the order in which they are written."""
    return [node for node in walk(expression) if isinstance(node, Cut)]


def thresholds(expression: Expression) -> dict[str, float | None]:
    """For each feature compared: the greatest number it is compared with, None where that is no literal."""
    found: dict[str, float | None] = {}

    def note(name: str, k: float | None) -> None:
        found[name] = None if k is None or found.get(name, 0) is None else max(k, found.get(name) or 0)

    def look(node: Expression) -> None:
        match node:
            case Compare(left=FeatureRef() as ref, right=Literal() as k):
                note(ref.feature, k.value)
            case Compare(left=Literal() as k, right=FeatureRef() as ref):
                note(ref.feature, k.value)
            case Compare() | Arithmetic() | Call() | FeatureRef():
                for name, _ in references(node):
                    note(name, None)
            case Junction() | Not():
                for part in children(node):
                    look(part)

    look(expression)
    return found

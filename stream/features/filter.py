"""Filters: conditions on one event's own properties, which decide whether a feature hears of it.

A filter is a typed tree; :mod:`stream.plan.filters` parses it and writes it into the generated plan.  What the event
does not have makes a comparison false.  Amounts of money count in whole units of the currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stream.features.own_zone import OwnZone

#: What a property is read as: a number, a text, or a list of texts.
Reading = Literal["number", "text", "texts"]


@dataclass(frozen=True)
class Property:
    """A property of the event, or (``of_product``) of each of its products; or a part of its local time in ``zone``."""

    name: str
    reading: Reading
    of_product: bool = False
    zone: str | OwnZone | None = None


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True)
class Calculation:
    """``left op right`` of two numbers."""

    op: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Comparison:
    """Two numbers compared."""

    op: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Among:
    """A text property is (``negated``: is known and is not) one of these texts."""

    subject: Property
    texts: tuple[str, ...]
    negated: bool


@dataclass(frozen=True)
class Has:
    """A list property has (``negated``: is known and does not have) a text."""

    subject: Property
    text: str
    negated: bool


@dataclass(frozen=True)
class Known:
    """The event has the property."""

    subject: Property


@dataclass(frozen=True)
class Both:
    """``and`` or ``or`` over two or more filters."""

    op: str
    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Negation:
    """``not``."""

    part: Filter


Operand = Property | Number | Calculation
Filter = Comparison | Among | Has | Known | Both | Negation


def properties(node: Filter | Operand) -> set[Property]:
    """The properties a filter reads."""
    match node:
        case Property():
            return {node}
        case Calculation() | Comparison():
            return properties(node.left) | properties(node.right)
        case Among() | Has() | Known():
            return {node.subject}
        case Both():
            return set().union(*(properties(part) for part in node.parts))
        case Negation():
            return properties(node.part)
    return set()

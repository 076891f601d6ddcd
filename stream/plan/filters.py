"""``where:`` of a feature: conditions on one event's own properties, parsed here and written into the generated plan.

    category == "shoes" and price >= 50
    payment_method in ("card", "paypal") and not known(coupon)
    products.brand == "Acme" or "sale" in tags

What a property is read as follows from what it is compared with.  Of ``products.NAME`` the filter asks each product:
a feature that reads a property of products gets those for which the filter holds, every other one the event if it holds
for one of its products.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable
from dataclasses import dataclass

from stream.events.names import MONEY_PROPERTIES
from stream.events.properties import LONGEST_LIST
from stream.events.text import text_hash
from stream.features.base import Constant
from stream.features.calendar import PARTS, Words, Zone, part_number, part_text
from stream.features.filter import (
    Among,
    Both,
    Calculation,
    Comparison,
    Filter,
    Has,
    Known,
    Negation,
    Number,
    Operand,
    Property,
    Reading,
    properties,
)
from stream.features.own_zone import OwnZone
from stream.plan.expressions import ExpressionError
from stream.plan.inputs import OF_TIME, Inputs
from stream.plan.slips import slip

COMPARISONS = {ast.GtE: ">=", ast.Gt: ">", ast.LtE: "<=", ast.Lt: "<", ast.Eq: "==", ast.NotEq: "!="}
ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
#: What holds something else than a number or a text.
STRUCTURED = ("products", "offer_ends")
#: The parts of an event's local time, and what they are.
TIMES = {"hour": "number", "weekday": "text", "month": "text"}
#: What every product has, and what it is.
GIVEN_OF_PRODUCTS = {"product_id": "text", "price": "number", "quantity": "number"}


def parse_filter(source: str, zone: str | OwnZone = "UTC") -> Filter:
    """The typed tree of a filter, local times in a zone; raises :class:`ExpressionError`."""
    text = source.replace("\n", " ")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if not isinstance(error, RecursionError | MemoryError) and (found := slip(source, 'category == "shoes"')):
            raise ExpressionError(*found) from error
        column = getattr(error, "offset", None) or 1
        raise ExpressionError(min(column - 1, max(0, len(text) - 1)), "this cannot be read as a filter") from error
    shift = len(text) - len(text.lstrip())
    encoded = text.strip().encode()

    def place(offset: int) -> int:  # Python's columns count bytes
        return len(encoded[:offset].decode()) + shift

    try:
        return _Parser(place, zone).filter(tree)
    except RecursionError as error:
        raise ExpressionError(0, "this is nested too deeply") from error


@dataclass(frozen=True)
class _Parser:
    """From Python's syntax tree to the typed one."""

    place: Callable[[int], int]
    zone: str | OwnZone

    def wrong(self, node: ast.expr, message: str) -> ExpressionError:
        """A mistake at a node."""
        return ExpressionError(self.place(node.col_offset), message)

    def filter(self, node: ast.expr) -> Filter:
        """A node that must be true or false."""
        match node:
            case ast.BoolOp():
                op = "and" if isinstance(node.op, ast.And) else "or"
                return Both(op, tuple(self.filter(part) for part in node.values))
            case ast.UnaryOp(op=ast.Not()):
                return Negation(self.filter(node.operand))
            case ast.Call(func=ast.Name(id="known"), args=[argument], keywords=[]):
                return Known(self.property(argument, "text"))
            case ast.Compare():
                lefts = [node.left, *node.comparators]
                parts = [self.one(a, op, b) for a, op, b in zip(lefts, node.ops, node.comparators, strict=False)]
                return parts[0] if len(parts) == 1 else Both("and", tuple(parts))
        raise self.wrong(node, 'a filter compares properties, for instance `category == "shoes"` or `known(coupon)`')

    def one(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Filter:
        """One comparison; which side the text stands on does not matter."""
        if isinstance(op, ast.In | ast.NotIn):
            negated = isinstance(op, ast.NotIn)
            if (text := _text(left)) is not None:
                return Has(self.property(right, "texts"), text, negated)
            return self.among(left, right, negated)
        if type(op) not in COMPARISONS:
            raise self.wrong(left, "compare with ==, !=, <, <=, >, >=, in or not in")
        a, b = (left, right) if _text(left) is None else (right, left)
        text = _text(b)
        if text is None:
            return Comparison(COMPARISONS[type(op)], self.number(left), self.number(right))
        if not isinstance(op, ast.Eq | ast.NotEq):
            raise self.wrong(b, "a text is compared with == or !=, or with `in`")
        return Among(self.property(a, "text"), (text,), isinstance(op, ast.NotEq))

    def among(self, left: ast.expr, right: ast.expr, negated: bool) -> Filter:
        """``property in ("a", "b")``, or numbers."""
        if isinstance(right, ast.Tuple | ast.List | ast.Set) and right.elts:
            texts = [_text(member) for member in right.elts]
            if all(text is not None for text in texts):
                return Among(self.property(left, "text"), tuple(text for text in texts if text is not None), negated)
            if all(text is None for text in texts):
                subject = self.number(left)
                equal = tuple(Comparison("!=" if negated else "==", subject, self.number(m)) for m in right.elts)
                return equal[0] if len(equal) == 1 else Both("and" if negated else "or", equal)
        raise self.wrong(right, 'write the texts in brackets: `in ("DK", "SE")`')

    def number(self, node: ast.expr) -> Operand:
        """A node that must be a number."""
        match node:
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                return Calculation(ARITHMETIC[type(node.op)], self.number(node.left), self.number(node.right))
            case ast.UnaryOp(op=ast.USub()):
                inner = self.number(node.operand)
                return Number(-inner.value) if isinstance(inner, Number) else Calculation("-", Number(0.0), inner)
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if abs(value) < 1e300:
                    return Number(float(value))
                raise self.wrong(node, "this number is too large")
            case ast.Name() | ast.Attribute():
                return self.property(node, "number")
        raise self.wrong(node, "a number or the name of a property is needed here")

    def property(self, node: ast.expr, reading: Reading) -> Property:
        """The name of a property of the event, or of its products."""
        match node:
            case ast.Name(id="event"):
                raise self.wrong(node, "'event' is the event's name: list the names under the feature's own key")
            case ast.Name() if node.id not in STRUCTURED and not keyword.iskeyword(node.id):
                return Property(node.id, reading)
            case ast.Attribute(value=ast.Name(id="time")) if node.attr in TIMES:
                if TIMES[node.attr] != reading:
                    raise self.wrong(node, f"'time.{node.attr}' is a {TIMES[node.attr]}, not a {reading}")
                return Property(f"{OF_TIME}{node.attr}", reading, zone=self.zone)
            case ast.Attribute(value=ast.Name(id="products")) if reading != "texts":
                fixed = GIVEN_OF_PRODUCTS.get(node.attr, reading)
                if fixed != reading:
                    raise self.wrong(node, f"'products.{node.attr}' is a {fixed}, not a {reading}")
                return Property(node.attr, reading, of_product=True)
        raise self.wrong(node, "the name of a property is needed here, such as category or products.brand")


def _text(node: ast.expr) -> str | None:
    """The text that a node is; ``true`` and ``false`` are how yes and no come in."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=bool() as truth):
            return str(truth).lower()
        case ast.Name(id="true" | "false" as word):
            return word
    return None


def reads_products(node: Filter | None) -> bool:
    """Whether a filter asks the products of an event."""
    return node is not None and any(p.of_product for p in properties(node))


@dataclass(frozen=True)
class FilterWriter:
    """Writes filters as source over event ``k`` of ``ev`` and, where ``item`` names one, over that product.

    ``function`` and ``constant`` give the names of helpers and constants in the generated module.
    """

    inputs: Inputs
    function: Callable[[Callable[..., object]], str]
    constant: Callable[[Constant], str]
    item: str | None = None

    def filter(self, node: Filter) -> str:
        """Source that is true or false."""
        match node:
            case Both():
                return "(" + f" {node.op} ".join(self.filter(part) for part in node.parts) + ")"
            case Negation():
                return f"(not {self.filter(node.part)})"
            case Known():
                return f"({self.property(node.subject)} != 0)"
            case Among():
                x = self.property(node.subject)
                if node.negated:
                    return "(" + " and ".join([f"{x} != 0", *(f"{x} != {text_hash(t)}" for t in node.texts)]) + ")"
                return "(" + " or ".join(f"{x} == {text_hash(t)}" for t in node.texts) + ")"
            case Has():
                slots = [self.inputs.list_source(node.subject.name, i) for i in range(LONGEST_LIST)]
                found = " or ".join(f"{x} == {text_hash(node.text)}" for x in slots)
                return f"({slots[0]} != 0 and not ({found}))" if node.negated else f"({found})"
            case Comparison():
                a, b = self.operand(node.left), self.operand(node.right)
                known = f" and {a} == {a} and {b} == {b}" if node.op == "!=" else ""
                return f"({a} {node.op} {b}{known})"

    def operand(self, node: Operand) -> str:
        """Source of a number."""
        match node:
            case Number():
                return repr(node.value)
            case Property():
                return self.property(node)
            case Calculation(op="/"):
                return f"divide({self.operand(node.left)}, {self.operand(node.right)})"
            case Calculation():
                return f"({self.operand(node.left)} {node.op} {self.operand(node.right)})"

    def property(self, node: Property) -> str:
        """Source of a property: a hash, or a number in whole units."""
        if node.zone is not None:
            which = node.name.removeprefix(OF_TIME)
            zone = Zone(node.zone) if isinstance(node.zone, str) else node.zone
            asked = f"{self.constant(zone)}, ev.instant[k], {self.constant(PARTS[which])}"
            if node.reading == "number":
                return f"{self.function(part_number)}({asked})"
            return f"{self.function(part_text)}({asked}, {self.constant(Words(which))})"
        if node.reading == "number":
            raw = self.inputs.number_source(node.name, self.item if node.of_product else None, self.function)
            unit = node.name in MONEY_PROPERTIES
            return f"({raw} / 1000000.0)" if unit else raw
        return self.inputs.text_source(node.name, self.item if node.of_product else None)

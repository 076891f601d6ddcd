"""The oracle's reading of ``where:``, from an event's own properties as they were sent.  See :mod:`tests.oracle`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

Properties = Mapping[str, Any]

COMPARE: dict[type, Any] = {
    ast.GtE: lambda a, b: a >= b,
    ast.Gt: lambda a, b: a > b,
    ast.LtE: lambda a, b: a <= b,
    ast.Lt: lambda a, b: a < b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
ARITHMETIC: dict[type, Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b if b else None,
}


def passing(text: str, properties: Properties, t: int = 0, zone: str = "UTC") -> bool:
    """Whether an event with these properties passes: where products are asked, whether it does for one of them."""
    if not asks_products(text):
        return holds(text, properties, {}, t, zone)
    return any(holds(text, properties, product, t, zone) for product in products_of(properties))


def passing_products(text: str | None, properties: Properties, t: int, zone: str) -> list[Properties]:
    """The products of an event for which it passes."""
    products = products_of(properties)
    return [product for product in products if text is None or holds(text, properties, product, t, zone)]


@lru_cache(maxsize=1000)
def syntax(text: str) -> ast.expr:
    """Python's syntax tree of a filter."""
    return ast.parse(text.strip(), mode="eval").body


def asks_products(text: str) -> bool:
    """Whether it names a property of products."""
    found = [node for node in ast.walk(syntax(text)) if isinstance(node, ast.Attribute)]
    return any(isinstance(node.value, ast.Name) and node.value.id == "products" for node in found)


def holds(text: str, properties: Properties, product: Properties, t: int, zone: str) -> bool:
    """Whether it holds for an event and one of its products, local time being what the clock shows there."""
    there = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t)).astimezone(ZoneInfo(zone))
    local = {"hour": there.hour, "weekday": there.strftime("%A").lower(), "month": there.strftime("%B").lower()}
    return bool(walk(syntax(text), properties, {"products": product, "time": local}))


def products_of(properties: Properties) -> list[Properties]:
    """The products of an event; an event about one product is that product."""
    if "products" in properties:
        return list(properties["products"])
    return [properties] if "product_id" in properties else []


def walk(node: ast.expr, event: Properties, parts: Mapping[str, Properties]) -> Any:
    """The value of a node; None: missing."""
    match node:
        case ast.BoolOp():
            values = [walk(part, event, parts) for part in node.values]
            return all(values) if isinstance(node.op, ast.And) else any(values)
        case ast.UnaryOp(op=ast.Not()):
            return not walk(node.operand, event, parts)
        case ast.UnaryOp():
            x = walk(node.operand, event, parts)
            return None if x is None else -x
        case ast.Call():
            return walk(node.args[0], event, parts) is not None
        case ast.Compare():
            sides = [walk(side, event, parts) for side in (node.left, *node.comparators)]
            found = zip(sides, node.ops, sides[1:], strict=False)
            return all(a is not None and b is not None and COMPARE[type(op)](a, b) for a, op, b in found)
        case ast.BinOp():
            a, b = walk(node.left, event, parts), walk(node.right, event, parts)
            return None if a is None or b is None else ARITHMETIC[type(node.op)](a, b)
        case ast.Constant():
            return node.value
        case ast.Tuple():
            return tuple(walk(member, event, parts) for member in node.elts)
        case ast.Attribute(value=ast.Name() as owner):
            return parts[owner.id].get(node.attr)
        case ast.Name():
            return event.get(node.id)
    raise AssertionError(ast.dump(node))

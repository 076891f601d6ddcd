"""The oracle's reading of ``where:``, from an event's own properties as they were sent.  See :mod:`tests.oracle`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

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


def passing(text: str, properties: Properties) -> bool:
    """Whether an event with these properties passes: where products are asked, whether it does for one of them."""
    tree = ast.parse(text.strip(), mode="eval").body
    if not any(isinstance(node, ast.Attribute) for node in ast.walk(tree)):
        return bool(walk(tree, properties, {}))
    return any(walk(tree, properties, product) for product in products_of(properties))


def products_of(properties: Properties) -> list[Properties]:
    """The products of an event; an event about one product is that product."""
    if "products" in properties:
        return list(properties["products"])
    return [properties] if "product_id" in properties else []


def walk(node: ast.expr, event: Properties, product: Properties) -> Any:
    """The value of a node; None: missing."""
    match node:
        case ast.BoolOp():
            values = [walk(part, event, product) for part in node.values]
            return all(values) if isinstance(node.op, ast.And) else any(values)
        case ast.UnaryOp(op=ast.Not()):
            return not walk(node.operand, event, product)
        case ast.UnaryOp():
            x = walk(node.operand, event, product)
            return None if x is None else -x
        case ast.Call():
            return walk(node.args[0], event, product) is not None
        case ast.Compare():
            sides = [walk(side, event, product) for side in (node.left, *node.comparators)]
            found = zip(sides, node.ops, sides[1:], strict=False)
            return all(a is not None and b is not None and COMPARE[type(op)](a, b) for a, op, b in found)
        case ast.BinOp():
            a, b = walk(node.left, event, product), walk(node.right, event, product)
            return None if a is None or b is None else ARITHMETIC[type(node.op)](a, b)
        case ast.Constant():
            return node.value
        case ast.Tuple():
            return tuple(walk(member, event, product) for member in node.elts)
        case ast.Attribute():
            return product.get(node.attr)
        case ast.Name():
            return event.get(node.id)
    raise AssertionError(ast.dump(node))

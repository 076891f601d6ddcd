"""The oracle's reading of conditions: Python's own syntax tree, walked.  See :mod:`tests.oracle`."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.oracle.customer import Customer
from tests.oracle.features import DURATION, Happened, Zone, feature, milliseconds
from tests.oracle.motion import solvable
from tests.oracle.shares import share_of


def number_or_none(compute: Any) -> float | None:
    """A number, or None where the computation has no result."""
    try:
        x = float(compute())
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    return None if x != x else x


FUNCTIONS: dict[str, Any] = {"log1p": math.log1p, "sqrt": math.sqrt, "abs": abs}
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
    ast.Div: lambda a, b: a / b,
}


@dataclass
class Scene:
    """What a condition is judged by: one customer at one instant, in one dimension."""

    features: Mapping[str, Mapping[str, Any]]
    past: Sequence[Happened]
    now: int
    customer: Customer
    #: Expression and share -> the cut.
    cuts: Callable[[str, float], float | None]
    every: int | None
    zone: Zone = "UTC"
    looking: bool = False

    def truth(self, text: str) -> bool:
        """Whether the condition holds."""
        return bool(self.walk(syntax(text)))

    def walk(self, node: ast.expr) -> Any:
        """The value of one node; None: missing."""
        match node:
            case ast.BoolOp(op=ast.And()):
                return all(self.walk(part) for part in node.values)
            case ast.BoolOp():
                return any(self.walk(part) for part in node.values)
            case ast.UnaryOp(op=ast.Not()):
                return not self.walk(node.operand)
            case ast.UnaryOp():
                x = self.walk(node.operand)
                return None if x is None else -x
            case ast.Compare() if self.looks(node.left, *node.comparators):
                return self.looked().walk(node)
            case ast.Compare():
                sides = [node.left, *node.comparators]
                return all(self.compare(a, op, b) for a, op, b in zip(sides, node.ops, sides[1:], strict=False))
            case ast.BinOp():
                a, b = self.walk(node.left), self.walk(node.right)
                return None if a is None or b is None else number_or_none(lambda: ARITHMETIC[type(node.op)](a, b))
            case ast.Call(func=ast.Name(id="known")) if self.looks(*node.args):
                return self.looked().walk(node)
            case ast.Call(func=ast.Name(id="known")):
                return self.walk(node.args[0]) not in (None, "")
            case ast.Call(func=ast.Name(id="share"), args=[ast.Constant(value=str() as name)]):
                return share_of(self.customer.name, name)
            case ast.Call(func=ast.Name(id=("quartile" | "quintile" | "decile") as function)):
                return self.tile(node.args[0], TILES[function])
            case ast.Call(func=ast.Name(id="part"), args=[ast.Constant(value=share), ast.Constant(value=top)]):
                return (share, top)
            case ast.Call(func=ast.Name() as function):
                x = self.walk(node.args[0])
                return None if x is None else number_or_none(lambda: FUNCTIONS[function.id](x))
            case ast.Constant():
                return node.value
            case ast.Tuple():
                return tuple(self.walk(member) for member in node.elts)
            case ast.Attribute(value=ast.Name(id="segment")):
                return self.customer.segments[node.attr] or ""
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="segment"), attr=name), attr="before"):
                return self.customer.before.get(name) or ""
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="segment"), attr=name), attr="since"):
                return self.now - self.customer.entered[name] if name in self.customer.entered else None
            case ast.Attribute(value=ast.Name() as owner):
                return feature(self.features[owner.id], self.past, self.now, node.attr, self.zone)
            case ast.Name():
                return feature(self.features[node.id], self.past, self.now, "", self.zone)
        raise AssertionError(ast.dump(node))

    def compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool:
        """One comparison; false where a side is missing."""
        a, b = self.walk(left), self.walk(right)
        if isinstance(right, ast.Call) and isinstance(right.func, ast.Name) and right.func.id == "part":
            share, top = b
            cut = self.cuts(ast.unparse(left), round(1 - share, 9) if top else share)
            within = None if a is None or cut is None else (a > cut) == top
            return within is not None and within == isinstance(op, ast.In)
        return a is not None and b is not None and bool(COMPARE[type(op)](a, b))

    def tile(self, of: ast.expr, parts: int) -> int | None:
        """In which of so many equal parts of the customers a value lies."""
        x = self.walk(of)
        cuts = [self.cuts(ast.unparse(of), round(i / parts, 9)) for i in range(1, parts)]
        return None if x is None or None in cuts else 1 + sum(x > cut for cut in cuts if cut is not None)

    def looks(self, *sides: ast.expr) -> bool:
        """Whether these are only looked at now and then."""
        return self.every is not None and not self.looking and not solvable(sides, self.features)

    def looked(self) -> Scene:
        """The scene when it was last looked at."""
        at = self.now if self.every is None else max(self.now - self.now % self.every, self.customer.seen)
        return replace(self, now=at, looking=True)


TILES = {"quartile": 4, "quintile": 5, "decile": 10}
PART = re.compile(r"(top|bottom) (\d+)%")


SYNTAX: dict[str, ast.expr] = {}


def syntax(text: str) -> ast.expr:
    """Python's syntax tree of a condition, its durations as milliseconds."""
    if text not in SYNTAX:
        text_of_parts = PART.sub(lambda match: f"part({int(match[2]) / 100}, {match[1] == 'top'})", text)
        shares = re.sub(r"\b(\d+)%", lambda match: str(int(match[1]) / 100), text_of_parts)
        plain = DURATION.sub(lambda match: str(milliseconds(match[0])), shares)
        SYNTAX[text] = ast.parse(plain, mode="eval").body
    return SYNTAX[text]


def asked(node: ast.AST, features: Collection[str]) -> set[str]:
    """The features, each with its view, that a condition asks."""
    match node:
        case ast.Attribute(value=ast.Name() as owner):
            return {ast.unparse(node)} if owner.id in features else set()
        case ast.Attribute():
            return set()
        case ast.Name():
            return {node.id} & set(features)
    return {name for child in ast.iter_child_nodes(node) for name in asked(child, features)}

"""Which comparisons have a moment of change that can be worked out, by the rule as it is told; the others are looked
at every so often.  See :mod:`tests.oracle`.

A value stands still, steps, moves along a line (the time since something), or decays.  Sums of what stands still, steps
and moves along lines can be solved, and so can a line times or by what is no line.  What decays may be multiplied with
what stands still, or divided by it, and compared with what stands still; nothing else.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

STEPS, LINE, DECAYS = "steps", "line", "decays"
#: What a feature's word says of how it moves with time alone.
LINES = ("since", "since first", "sequence")
STEPPING = ("within", "this", "year_ago", "trend", "anniversary", "recurring", "holiday")


class UnsolvedError(Exception):
    """There is no known form."""


def always_solvable(text: ast.expr, features: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether it is known of all that a condition asks when it changes by itself."""
    asked = [[n.left, *n.comparators] for n in ast.walk(text) if isinstance(n, ast.Compare)]
    calls = [n for n in ast.walk(text) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    asked += [n.args for n in calls if isinstance(n.func, ast.Name) and n.func.id == "known"]
    return all(solvable(sides, features) for sides in asked)


def solvable(sides: Sequence[ast.expr], features: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether it is known when a comparison of these changes by itself."""
    try:
        moving = [ways(side, features) for side in sides]
    except UnsolvedError:
        return False
    return all(DECAYS not in a | b or not (a and b) for a, b in itertools.pairwise(moving))


def ways(node: ast.expr, features: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """How a value moves while nothing happens."""
    match node:
        case ast.Name():
            return of_feature(features[node.id], "")
        case ast.Attribute(value=ast.Attribute(), attr="since"):
            return frozenset({LINE})
        case ast.Attribute(value=ast.Name() as owner) if owner.id != "segment":
            return of_feature(features[owner.id], node.attr)
        case ast.UnaryOp():
            return ways(node.operand, features)
        case ast.Call() if node.args and not isinstance(node.args[0], ast.Constant):
            inner = ways(node.args[0], features)
            return inner if not inner & {LINE, DECAYS} or is_tile(node) else unsolved()
        case ast.BinOp():
            a, b = ways(node.left, features), ways(node.right, features)
            return combined(node.op, a, b)
    return frozenset()


def is_tile(node: ast.Call) -> bool:
    """Whether it tells in which part of the customers a value lies: that compares the value itself with cuts."""
    return isinstance(node.func, ast.Name) and node.func.id in ("quartile", "quintile", "decile")


def combined(op: ast.operator, a: frozenset[str], b: frozenset[str]) -> frozenset[str]:
    """A sum, difference, product or quotient."""
    product, quotient = isinstance(op, ast.Mult), isinstance(op, ast.Div)
    if DECAYS in a | b:
        scaled = (product and not (a and b)) or (quotient and not b)
        return a | b if scaled else unsolved()
    if (quotient and LINE in b) or (product and LINE in a & b):
        return unsolved()
    return a | b


def unsolved() -> frozenset[str]:
    """It has no known form."""
    raise UnsolvedError


def of_feature(spec: Mapping[str, Any], view: str) -> frozenset[str]:
    """How a feature's view moves."""
    if "rate" in spec:
        return frozenset({DECAYS})
    if any(word in spec for word in LINES) or spec.get("as") == "instant":
        return frozenset({LINE})
    if "bag" in spec:
        return frozenset({STEPS} if view == "on_offer" else ())
    if view in ("share", "choices") and "recurring" in spec:
        return frozenset()
    return frozenset({STEPS} if any(word in spec for word in STEPPING) else ())

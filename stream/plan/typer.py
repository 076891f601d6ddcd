"""From Python's syntax tree to the typed one, noting every mistake that does not follow from another."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from stream.features.base import Kind
from stream.plan.kinds import MICROS, arithmetic_kind, is_condition, is_number, same_kind, what
from stream.plan.lexer import part_named
from stream.plan.naming import ALWAYS, Names, Naming, finite
from stream.plan.problems import ExpressionError, suggest
from stream.plan.tiles import TILES, joined, part_of, tile_compared, tile_in
from stream.plan.tree import (
    Arithmetic,
    Call,
    Compare,
    Condition,
    Expression,
    FeatureRef,
    Junction,
    Known,
    Literal,
    Member,
    Not,
    Number,
    OneOf,
    SegmentRef,
    SegmentSince,
    ShareOf,
    Text,
    walk,
)

COMPARISONS = {ast.GtE: ">=", ast.Gt: ">", ast.LtE: "<=", ast.Lt: "<", ast.Eq: "==", ast.NotEq: "!="}
MIRROR = {">=": "<=", ">": "<", "<=": ">=", "<": ">", "==": "==", "!=": "!="}
ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
#: Functions of one number; but for abs they are in `stream.plan.runtime`.
FUNCTIONS = ("abs", "log1p", "sqrt")
#: Views that are shares, from 0 to 1.
SHARES = ("share", "variety", "switching")
#: What else is written like a function.
WORDS = ("known", "share", *TILES)


@dataclass
class Typer:
    """Types one expression.  A method that gives None has noted why; ``place`` turns the parser's columns into those of
    the text as it was written."""

    names: Names
    place: Callable[[int], int]
    #: Where percentages stand, in those columns.
    percents: frozenset[int] = frozenset()
    mistakes: list[tuple[int, str]] = field(default_factory=list)
    naming: Naming = field(init=False)

    def __post_init__(self) -> None:
        self.naming = Naming(self.names)

    def wrong(self, at: int, message: str) -> None:
        """Note a mistake, once."""
        if (at, message) not in self.mistakes:
            self.mistakes.append((at, message))

    def at(self, node: ast.expr) -> int:
        """Where a node begins."""
        return self.place(node.col_offset)

    def expression(self, node: ast.expr) -> Expression | None:
        """Any expression."""
        try:
            return self._expression(node, self.at(node))
        except ExpressionError as error:
            self.wrong(error.column, error.message)
            return None

    def _expression(self, node: ast.expr, at: int) -> Expression | None:
        match node:
            case ast.BoolOp():
                parts = [self.condition(part) for part in node.values]
                known = [part for part in parts if part is not None]
                op = "and" if isinstance(node.op, ast.And) else "or"
                return Junction(op, tuple(known), at) if len(known) == len(parts) else None
            case ast.UnaryOp(op=ast.Not()):
                part = self.condition(node.operand)
                return None if part is None else Not(part, at)
            case ast.UnaryOp(op=ast.USub()):
                return self.negative(node.operand, at)
            case ast.Compare():
                return self.comparisons(node, at)
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                left, right = self.number(node.left), self.number(node.right)
                return None if left is None or right is None else arithmetic(ARITHMETIC[type(node.op)], left, right, at)
            case ast.Constant(value=str() as text):
                return Text(text, at)
            case ast.Constant():
                return self.constant(node, at)
            case ast.Name():
                return self.naming.name(node.id, at)
            case ast.Attribute():
                return self.naming.attribute(node, at)
            case ast.Call(func=ast.Name() as function):
                return self.call(function.id, node, at)
        raise ExpressionError(
            at, "this is not part of the language; use names, numbers, durations, and, or, not, comparisons, + - * /"
        )

    # What is needed where

    def condition(self, node: ast.expr) -> Condition | None:
        """A condition."""
        found = self.expression(node)
        if found is None:
            return None
        if is_condition(found):
            return found
        self.wrong(self.at(node), f"a condition is needed here, not {what(found)}; compare it with something")
        return None

    def number(self, node: ast.expr) -> Number | None:
        """A number, a duration or an amount."""
        found = self.expression(node)
        return None if found is None else self.as_number(found, self.at(node))

    def as_number(self, found: Expression, at: int) -> Number | None:
        """The same, of what is typed already."""
        if is_number(found):
            return found
        self.wrong(at, f"a number, a duration or an amount is needed here, not {what(found)}")
        return None

    # Values

    def constant(self, node: ast.Constant, at: int) -> Literal:
        """A number as it is written."""
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return finite(node.value, Kind.NUMBER, at)
        if isinstance(node.value, bool):
            raise ExpressionError(at, f"{node.value} is not a number; {ALWAYS}")
        raise ExpressionError(at, f"{node.value!r} is not a number, a duration or a text")

    def negative(self, node: ast.expr, at: int) -> Number | None:
        """``-x``."""
        found = self.number(node)
        if isinstance(found, Literal):
            return Literal(-found.value, found.kind, at)
        return None if found is None else arithmetic("*", Literal(-1.0, Kind.NUMBER, at), found, at)

    def call(self, function: str, node: ast.Call, at: int) -> Expression | None:
        """What is written like a function."""
        if function not in (*FUNCTIONS, *WORDS):
            known = suggest(function, (*FUNCTIONS, *WORDS))
            raise ExpressionError(at, f"{function!r} is not a function here{known}")
        if len(node.args) != 1 or node.keywords:
            raise ExpressionError(at, f"{function}() takes one thing in its brackets")
        if function == "share":
            return self.share(node.args[0])
        if function == "known":
            return self.known(node.args[0], at)
        if function in TILES:
            raise ExpressionError(at, f"{function}() is compared with a whole number: `{function}(x) >= 2`")
        x = self.plain(node.args[0])
        return None if x is None else Call(function, x, Kind.NUMBER, at)

    def share(self, node: ast.expr) -> ShareOf:
        """``share("name")``."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            return ShareOf(node.value, self.at(node))
        raise ExpressionError(self.at(node), 'share() takes a name of your own in quotes: `share("spring-test") < 10%`')

    def known(self, node: ast.expr, at: int) -> Known | None:
        """``known(x)``."""
        found = self.expression(node)
        if found is None:
            return None
        if isinstance(found, SegmentRef | FeatureRef) or is_number(found):
            return Known(found, at)
        raise ExpressionError(self.at(node), f"known() asks whether a value is missing; this is {what(found)}")

    def plain(self, node: ast.expr) -> Number | None:
        """A number for a function; an amount counts in whole units of the currency."""
        found = self.number(node)
        if found is None:
            return None
        if found.kind is Kind.MONEY:
            return Arithmetic("/", found, Literal(MICROS, Kind.MONEY, found.at), Kind.NUMBER, found.at)
        if found.kind is not Kind.NUMBER:
            raise ExpressionError(found.at, f"a plain number is needed here, not {what(found)}; divide it first")
        return found

    # Comparisons

    def comparisons(self, node: ast.Compare, at: int) -> Condition | None:
        """One comparison, or a chain of them: ``1 <= orders < 3``."""
        parts = []
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            try:
                parts.append(self.comparison(left, op, right, at))
            except ExpressionError as error:
                self.wrong(error.column, error.message)
                parts.append(None)
            left = right
        known = [part for part in parts if part is not None]
        return joined("and", known, at) if len(known) == len(parts) else None

    def comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, at: int) -> Condition | None:
        """``left op right``."""
        if isinstance(op, ast.In | ast.NotIn):
            return self.membership(left, right, isinstance(op, ast.NotIn), at)
        if type(op) not in COMPARISONS:
            raise ExpressionError(at, "compare with ==, !=, <, <=, >, >=, in or not in")
        word = COMPARISONS[type(op)]
        for tile, other, way in ((left, right, word), (right, left, MIRROR[word])):
            if is_tile(tile):
                return self.tile(tile, partial(tile_compared, op=way, at=at), [other])
        for one, other in ((left, right), (right, left)):
            self.quotes(one, [other])
        a, b = self.expression(left), self.expression(right)
        if a is None or b is None:
            return None
        if isinstance(a, Text) and not isinstance(b, Text):
            a, b = b, a
        if isinstance(b, Text):
            if word not in ("==", "!="):
                raise ExpressionError(b.at, "a text is compared with == or !=, or with `in`")
            return self.one_of(a, (b.value,), word == "!=", at)
        x, y = self.as_number(a, self.at(left)), self.as_number(b, self.at(right))
        if x is None or y is None:
            return None
        self.no_part(x, y)
        found = Compare(word, *shares_checked(*same_kind(x, y)), at)
        if not asks(found):
            raise ExpressionError(at, f"this is the same for everyone: no feature stands in it; {ALWAYS}")
        return found

    def no_part(self, x: Number, y: Number) -> None:
        """An amount or a duration beside a percentage: who writes so means a part of the customers."""
        for value, percent in ((x, y), (y, x)):
            if value.kind is not Kind.NUMBER and isinstance(percent, Literal) and percent.at in self.percents:
                raise ExpressionError(
                    percent.at,
                    f"{what(value)} cannot be compared with a percentage; for a part of the customers, by a value, "
                    "write for instance `spend in top 20%`",
                )

    def quotes(self, subject: ast.expr, others: list[ast.expr]) -> None:
        """Raises where a text is compared with what is no feature: it was meant as a text, without its quotes."""
        if not isinstance(subject, ast.Name | ast.Attribute):
            return
        bare = [(node, word) for node in others if (word := self.naming.bare(node)) is not None]
        if not bare:
            return
        try:
            found = self._expression(subject, self.at(subject))
        except ExpressionError:
            return
        if isinstance(found, SegmentRef) or (isinstance(found, FeatureRef) and not is_number(found)):
            for node, word in bare:
                self.wrong(self.at(node), f'put texts in quotes: `"{word}"`')
            raise ExpressionError(self.at(bare[0][0]), f'put texts in quotes: `"{bare[0][1]}"`')

    def membership(self, left: ast.expr, right: ast.expr, negated: bool, at: int) -> Condition | None:
        """``left in right``: a part of the customers, some texts or numbers, or a feature that keeps several texts."""
        if isinstance(right, ast.Name) and (part := part_named(right.id)):
            x = self.number(left)
            return None if x is None else part_of(x, part, negated, at)
        members = right.elts if isinstance(right, ast.Tuple | ast.List | ast.Set) else None
        if members is not None and is_tile(left):
            return self.tile(left, partial(tile_in, negated=negated, at=at), members)
        if members == []:
            raise ExpressionError(self.at(right), "nothing stands in these brackets; write what it may be: `in (1, 2)`")
        self.quotes(left, members or [])
        subject = self.expression(left)
        if isinstance(subject, Text) and members is None:
            return self.member(subject, right, negated, at)
        if subject is None:
            return None
        if not members:
            raise ExpressionError(self.at(right), 'write the texts in brackets: `in ("DK", "SE")`')
        values = [self.expression(member) for member in members]
        if any(value is None for value in values):
            return None
        if all(isinstance(value, Text) for value in values):
            return self.one_of(subject, tuple(v.value for v in values if isinstance(v, Text)), negated, at)
        return self.one_of_numbers(subject, [v for v in values if v is not None], negated, at)

    def one_of_numbers(self, subject: Expression, values: list[Expression], negated: bool, at: int) -> Condition | None:
        """``orders in (1, 2)``."""
        x = self.as_number(subject, at)
        numbers = [self.as_number(value, at) for value in values]
        if x is None or any(number is None for number in numbers):
            return None
        op = "!=" if negated else "=="
        tests: list[Condition] = [Compare(op, *same_kind(x, n), at) for n in numbers if n is not None]
        return joined("and" if negated else "or", tests, at)

    def one_of(self, subject: Expression, texts: tuple[str, ...], negated: bool, at: int) -> Condition:
        """``country in ("DK", "SE")``, ``segment.lifecycle == "at-risk"``."""
        if isinstance(subject, SegmentRef):
            known = self.names.segments(subject.dimension) or ()
            for text in texts:
                if text not in known:
                    message = f"dimension {subject.dimension!r} has no segment {text!r}{suggest(text, known)}"
                    raise ExpressionError(at, message)
            return OneOf(subject, texts, negated, at)
        if isinstance(subject, FeatureRef) and subject.kind is Kind.TEXT:
            return OneOf(subject, texts, negated, at)
        if isinstance(subject, FeatureRef) and subject.kind is Kind.TEXTS:
            raise ExpressionError(at, f'{subject.feature!r} keeps several texts: `"{texts[0]}" in {subject.feature}`')
        raise ExpressionError(at, f"{what(subject)} cannot be compared with a text")

    def member(self, text: Text, right: ast.expr, negated: bool, at: int) -> Condition | None:
        """``"sport" in interests``."""
        subject = self.expression(right)
        if subject is None:
            return None
        if isinstance(subject, FeatureRef) and subject.kind is Kind.TEXTS:
            return Member(text.value, subject, negated, at)
        raise ExpressionError(self.at(right), f"`in` needs a list of texts here, not {what(subject)}")

    def tile(
        self, node: ast.expr, made: Callable[[str, Number, list[float]], Condition], others: list[ast.expr]
    ) -> Condition | None:
        """A comparison of ``quintile(x)`` and its kin, once its parts are typed."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return None
        function, at = node.func.id, self.at(node)
        if len(node.args) != 1 or node.keywords:
            raise ExpressionError(at, f"{function}() takes one thing in its brackets")
        x = self.number(node.args[0])
        values = [self.expression(other) for other in others]
        numbers = [v.value for v in values if isinstance(v, Literal) and v.kind is Kind.NUMBER]
        if len(numbers) < len(others):
            if None not in values:
                raise ExpressionError(
                    at, f"{function}() is compared with whole numbers as they are: `{function}(x) >= 2`"
                )
            return None
        return None if x is None else made(function, x, numbers)


def asks(condition: Condition) -> bool:
    """Whether it speaks of anything that differs between customers."""
    return any(isinstance(node, FeatureRef | SegmentRef | SegmentSince | ShareOf) for node in walk(condition))


def is_tile(node: ast.expr) -> bool:
    """Whether it is ``quintile(...)`` or one of its kin."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TILES


def arithmetic(op: str, left: Number, right: Number, at: int) -> Number:
    """``left op right``; worked out where both are literals."""
    kind = arithmetic_kind(op, left, right, at)
    if op == "/" and isinstance(right, Literal) and not right.value:
        raise ExpressionError(right.at, "nothing can be divided by 0")
    if isinstance(left, Literal) and isinstance(right, Literal) and op in "*/":
        return finite(left.value * right.value if op == "*" else left.value / right.value, kind, at)
    return Arithmetic(op, left, right, kind, at)


def shares_checked(a: Number, b: Number) -> tuple[Number, Number]:
    """Both sides of a comparison; a share of the customers is compared with what lies between 0 and 1."""
    for share, other in ((a, b), (b, a)):
        if isinstance(share, ShareOf) and isinstance(other, Literal) and not 0 <= other.value <= 1:
            raise ExpressionError(other.at, "a share lies between 0% and 100%; write for instance `10%`")
        view = share.view if isinstance(share, FeatureRef) else ""
        if view in SHARES and isinstance(other, Literal) and not 0 <= other.value <= 1:
            percent = f"{other.value:g}%" if 1 < other.value <= 100 else "50%"
            raise ExpressionError(other.at, f"'.{view}' lies between 0% and 100%; write for instance `{percent}`")
    return a, b

"""The condition language: Python's expression syntax over feature names, with literals of its own; parsed and typed.

    orders >= 1 and since_order >= 2 * usual_gap
    wishlist.size >= 1 and (wishlist.cheaper >= 1 or wishlist.on_offer >= 1)
    segment.lifecycle == "at-risk" and segment.lifecycle.since >= 30d and country in ("DK", "SE")
    spend in top 20% and quintile(since_order) == 1 and "sport" in interests and share("spring-test") < 10%

Text goes through Python's own parser to a syntax tree and never further: nothing is evaluated.  Every node of the typed
tree knows its type (number, duration, money, text, truth) and its column for messages.  All mistakes of an expression
that do not follow from one another are told at once.
"""

from __future__ import annotations

import ast

from stream.plan.kinds import is_condition, is_number, what
from stream.plan.lexer import lex
from stream.plan.naming import Names
from stream.plan.problems import ExpressionError
from stream.plan.slips import negative_part, slip
from stream.plan.tree import Condition, Expression, Number
from stream.plan.typer import Typer

__all__ = ["ExpressionError", "Names", "parse_condition", "parse_number"]


def parse_condition(source: str, names: Names) -> Condition:
    """The typed tree of a condition; raises :class:`ExpressionError`."""
    found = _parse(source, names)
    if is_condition(found):
        return found
    raise ExpressionError(
        0, f"this is {what(found)}, not a condition; compare it with something, for instance `orders >= 3`"
    )


def parse_number(source: str, names: Names) -> Number:
    """The typed tree of a numeric expression; raises :class:`ExpressionError`."""
    found = _parse(source, names)
    if is_number(found):
        return found
    raise ExpressionError(0, f"expected a number here, not {what(found)}")


def _parse(source: str, names: Names) -> Expression:
    if wrong := negative_part(source):
        raise ExpressionError(*wrong)
    lexed = lex(source)
    try:
        tree = ast.parse(lexed.text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if not isinstance(error, RecursionError | MemoryError) and (known := slip(source, "orders >= 3")):
            raise ExpressionError(*known) from error
        column = getattr(error, "offset", None) or 1
        at = lexed.origin[min(column - 1, len(lexed.origin) - 1)] if lexed.origin else 0
        raise ExpressionError(at, "this cannot be read as a condition") from error
    typer = Typer(names, lexed.place, lexed.percents)
    try:
        found = typer.expression(tree)
    except RecursionError as error:
        raise ExpressionError(0, "this is nested too deeply") from error
    if found is None:
        (column, message), *further = sorted(typer.mistakes)
        raise ExpressionError(column, message, further)
    return found

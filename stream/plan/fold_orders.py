"""The part of a plan that applies an event to a customer's book of orders and to the features over it
(:mod:`stream.features.orders` says in which order)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream.features import orders
from stream.features.base import Constant, Reaction
from stream.plan.inputs import OF_PRODUCTS, Inputs


@dataclass(frozen=True)
class Listener:
    """A feature over a book, as it hears of one event: what it does, its first column, and (``reads``, ``passes``) the
    sources of what it reads of the event and of its filter, of each product where ``each``."""

    reaction: Reaction
    base: int
    reads: str
    passes: str
    each: bool


@dataclass(frozen=True)
class BookWriter:
    """Writes what one event does to one book.  ``function`` and ``constant`` as for folds."""

    inputs: Inputs
    function: Callable[[Callable[..., object]], str]
    constant: Callable[[Constant], str]

    def lines(self, book: orders.Orders, base: int, name: str, listeners: list[Listener], products: str) -> list[str]:
        """The lines for an event of that name."""
        ordered, at, n = name in book.of, self.constant(base), self.constant(book.last)
        total = self.inputs.number_source(orders.AMOUNT, None, self.function)
        first, stop = "ev.first[k]", "ev.first[k + 1]"
        kind = f"{self.function(orders.kind)}({total}, {first}, {stop})"
        if ordered or name == orders.CANCELLED:
            kind = self.constant(orders.ORDER if ordered else orders.CANCEL)
        found = [
            f"key = {self.inputs.key_source(book.by)}",
            f"amount = {self.function(orders.amount)}({total}, ev.items, {first}, {stop})",
            f"kind = {kind}",
            f"o = {self.function(orders.place)}(r, f, {at}, t, key, amount, kind, {n})",
        ]
        listeners = [one for one in listeners if one.reaction.opens is not None]
        found += [self.call(one.reaction.opens, one, f"o, {at}") for one in listeners]
        for one in listeners:
            if one.reaction.reads is not None or ordered:
                found += self.fold(one, ordered, products)
        found.append(f"{self.function(orders.enter)}(r, f, {at}, t, key, amount, kind, o, {n})")
        found += [self.call(one.reaction.closes, one, f"o, {at}, t") for one in listeners]
        if not ordered:
            found.append(f"lost += {self.function(orders.unmatched)}(o, kind)")
        return found

    def call(self, function: Callable[..., object] | None, one: Listener, arguments: str) -> str:
        """A call of ``opens`` or ``closes``."""
        if function is None:
            raise ValueError("a feature over a book opens and closes")
        rest = "".join(f", {self.constant(c)}" for c in one.reaction.constants[1:])
        return f"{self.function(function)}(r, f, {self.constant(one.base)}, {arguments}{rest})"

    def fold(self, one: Listener, ordered: bool, products: str) -> list[str]:
        """The call of ``fold``; the filter asks the order, not the refund, unless it asks each product."""
        reads = one.reads
        if not ordered and one.reaction.path == orders.AMOUNT:
            reads = ", amount"
        rest = "".join(f", {self.constant(c)}" for c in one.reaction.constants)
        line = f"{self.function(one.reaction.fold)}(r, f, {self.constant(one.base)}, o{reads or ', 1.0'}{rest})"
        asked = one.reaction.where is not None and (ordered or one.each)
        lines = [f"if {one.passes}:", f"    {line}"] if asked else [line]
        return [f"for j in {products}:", *(f"    {line}" for line in lines)] if one.each else lines


def asks_each(reaction: Reaction) -> bool:
    """Whether the feature reads each product of the event."""
    return reaction.reads is not None and reaction.path.startswith(OF_PRODUCTS)

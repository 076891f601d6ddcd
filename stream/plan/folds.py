"""The part of a plan that feeds events to accumulators: what each reads of an event, behind its filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stream.events.properties import LONGEST_LIST
from stream.events.text import text_hash
from stream.features import calendar
from stream.features.base import Accumulator, Constant, Reaction, Table
from stream.features.filter import properties
from stream.features.known_zone import KnownZone
from stream.features.orders import Orders
from stream.features.own_zone import OwnZone
from stream.plan.filters import FilterWriter, reads_products
from stream.plan.fold_orders import BookWriter, Listener, asks_each
from stream.plan.inputs import EVENT, GIVEN, OF_PRODUCTS, OF_TIME, Inputs

#: The products of event k.
PRODUCTS = "range(ev.first[k], ev.first[k + 1])"


@dataclass
class FoldWriter:
    """Writes ``fold``, which returns how many refunds had no order that they are for.  ``function`` and ``constant``
    give the names of functions and constants in the module."""

    inputs: Inputs
    function: Callable[[Callable[..., object]], str]
    constant: Callable[[Constant], str]
    #: Source of a filter that asks the products of an event -> the function that tells whether one passes.
    helpers: dict[str, str] = field(default_factory=dict)

    def fold(self, base: Mapping[Accumulator, int]) -> str:
        """The functions of filters, and ``fold``: for each event code, the accumulators that it feeds.

        What keeps a customer's zone comes first, so that an event goes by the zone that it names itself.
        """
        lines = ["@jit", "def fold(code, r, f, t, bags, i, ev, k):", "    lost = 0"]
        zones_first = sorted(base.items(), key=lambda item: not isinstance(item[0], KnownZone))
        reactions = [(accumulator, accumulator.reactions(), at) for accumulator, at in zones_first]
        for name, code in self.inputs.codes.items():
            heard = [(accumulator, found[name], at) for accumulator, found, at in reactions if name in found]
            calls = [line for _, one, at in heard if one.orders is None for line in self.call(one, at, name)]
            for accumulator, _, at in heard:
                if isinstance(accumulator, Orders):
                    calls += self.book(
                        accumulator,
                        at,
                        name,
                        [(one, p) for a, one, p in heard if a is not accumulator and one.orders == accumulator],
                    )
            if calls:
                lines.append(f"    {'elif' if len(lines) > 3 else 'if'} code == {code}:  # {name!r}")
                lines += [f"        {line}" for line in calls]
        body = "\n".join([*lines, "    return lost"]) + "\n"
        return "\n\n".join([*self.helpers.values(), body])

    def book(self, book: Orders, at: int, name: str, heard: list[tuple[Reaction, int]]) -> list[str]:
        """An event that orders, or takes an order back: the book and the features over it."""
        listeners = []
        for reaction, base in heard:
            if reaction.orders is not None:
                each = asks_each(reaction)
                reads = self.reads(reaction, name, each)
                listeners.append(Listener(reaction, base, reads, self.passes(reaction, each), each))
        return BookWriter(self.inputs, self.function, self.constant).lines(book, at, name, listeners, PRODUCTS)

    def call(self, reaction: Reaction, base: int, name: str) -> list[str]:
        """One accumulator's fold of one event, or of each of its products."""
        each = (reaction.path if reaction.reads != "items" else "").startswith(OF_PRODUCTS)
        reads = self.reads(reaction, name, each)
        constants = "".join(f", {self.constant(c)}" for c in reaction.constants)
        lines = [f"{self.function(reaction.fold)}(r, f, {self.constant(base)}, t{reads}{constants})"]
        if reaction.where is not None:
            lines = [f"if {self.passes(reaction, each)}:", *indented(lines)]
        return [f"for j in {PRODUCTS}:", *indented(lines)] if each else lines

    def passes(self, reaction: Reaction, each: bool) -> str:
        """Source of the filter: of this product, of the event, or of any of its products."""
        if reaction.where is None:
            return "True"
        asks = reads_products(reaction.where)
        test = FilterWriter(self.inputs, self.function, self.constant, "j" if asks else None).filter(reaction.where)
        if each or not asks:
            return test
        name = f"passes_{list(self.helpers).index(test) if test in self.helpers else len(self.helpers)}"
        row = "r, bags, " if any(isinstance(p.zone, OwnZone) for p in properties(reaction.where)) else ""
        lines = ["@jit", f"def {name}({row}ev, k):", f"    for j in {PRODUCTS}:", f"        if {test}:"]
        self.helpers[test] = "\n".join([*lines, "            return True", "    return False"]) + "\n"
        return f"{name}({row}ev, k)"

    def reads(self, reaction: Reaction, name: str, each: bool) -> str:
        """Source of what the fold takes after the instant."""
        path = reaction.path.removeprefix(OF_PRODUCTS)
        item = "j" if each else None
        match reaction.reads:
            case None:
                return ""
            case "items":
                return ", bags, i, ev.items, ev.first[k], ev.first[k + 1]"
            case "number":
                return f", {self.inputs.number_source(path, item, self.function)}"
            case "text" if path == EVENT or path.startswith(GIVEN):
                return f", {self.constant(text_hash(name if path == EVENT else path[1:]))}"
            case "text" if path.startswith(OF_TIME) and not each:
                return f", {time_source(path.removeprefix(OF_TIME), reaction.zone, self.function, self.constant)}"
            case "text":
                return f", {self.inputs.text_source(path, item)}"
            case "key":
                return f", {self.inputs.key_source(path)}"
            case "texts":
                at = self.inputs.lists[path]
                return f", ev.texts[k, {at} : {at + LONGEST_LIST}]"
            case "instant":
                return f", ev.numbers[k, {self.inputs.instants[path]}]"
            case "date":
                return f", ev.numbers[k, {self.inputs.dates[path]}]"
        raise ValueError(f"no fold reads {reaction.reads!r}")


def time_source(
    part: str,
    zone: Table | OwnZone | None,
    function: Callable[[Callable[..., object]], str],
    constant: Callable[[Constant], str],
) -> str:
    """Source of a part of an event's local time, as the hash of its word."""
    where = constant(zone or calendar.Zone("UTC"))
    if part == "day":
        return f"{function(calendar.day_text)}({where}, t)"
    which, names = constant(calendar.PARTS[part]), constant(calendar.Words(part))
    return f"{function(calendar.part_text)}({where}, t, {which}, {names})"


def indented(lines: list[str]) -> list[str]:
    """Lines, one step to the right."""
    return [f"    {line}" for line in lines]

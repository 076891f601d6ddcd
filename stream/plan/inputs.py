"""What a plan reads of an event, and where a decoded batch has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from stream.events.names import MONEY_PROPERTIES, PRODUCT_UPDATED
from stream.events.properties import LONGEST_LIST
from stream.features import reading
from stream.features.base import Accumulator, Reaction
from stream.features.filter import properties

#: Columns of every product of an event: the hash of its id, its price in micros (-1: unknown), how many, and whether it
#: is in stock (-1: unknown).
PRODUCT, PRICE, QUANTITY, STOCK = range(4)
#: How a path says that it means each product's property.
OF_PRODUCTS = "products."
#: The same of what is no property: a part of the local time, a text in the definition, the event's name.
OF_TIME, GIVEN, EVENT = "time.", "=", "event"


@dataclass(frozen=True)
class Inputs:
    """Codes of event names, and slots of the properties that are needed.

    ``numbers``, ``instants`` and ``dates`` are columns of a batch's ``numbers``; ``texts``, and ``lists`` with
    ``LONGEST_LIST`` columns each, and ``keys`` (texts that are only compared, of which no name is kept) of its
    ``texts``; a key that is a text too is read once.  ``product_numbers`` (micros, whatever they count) and
    ``product_texts`` of its ``items``, behind what every product has there.
    """

    codes: dict[str, int]
    numbers: dict[str, int]
    texts: dict[str, int]
    instants: dict[str, int]
    dates: dict[str, int]
    lists: dict[str, int]
    product_numbers: dict[str, int]
    product_texts: dict[str, int]
    keys: dict[str, int] = field(default_factory=dict)

    def number_source(self, name: str, item: str | None, function: Callable[[Callable[..., object]], str]) -> str:
        """Source of a number of event k, or of the product that ``item`` names; money in micros."""
        if item is None:
            return f"ev.numbers[k, {self.numbers[name]}]"
        if name == "quantity":
            return f"float(ev.items[{item}, {QUANTITY}])"
        if name == "price":
            return f"{function(reading.price)}(ev.items[{item}, {PRICE}])"
        kind = reading.amount if name in MONEY_PROPERTIES else reading.number
        return f"{function(kind)}(ev.items[{item}, {self.product_numbers[name]}])"

    def text_source(self, name: str, item: str | None) -> str:
        """Source of the hash of a text of event k, or of the product that ``item`` names."""
        if item is None:
            return f"ev.texts[k, {self.texts[name]}]"
        return f"ev.items[{item}, {PRODUCT if name == 'product_id' else self.product_texts[name]}]"

    def key_source(self, name: str) -> str:
        """Source of a key of event k."""
        return f"ev.texts[k, {self.keys[name]}]"

    def list_source(self, name: str, i: int) -> str:
        """Source of the i-th of a list of texts."""
        return f"ev.texts[k, {self.lists[name] + i}]"


def read_by(reactions: Iterable[Reaction]) -> Iterator[tuple[str, str]]:
    """(kind, property) of all that reactions and their filters read; properties of products as ``products.``."""
    for reaction in reactions:
        if reaction.reads:
            yield reaction.reads, reaction.path
        yield from reaction.also
        for one in properties(reaction.where) if reaction.where else ():
            yield one.reading, f"{OF_PRODUCTS}{one.name}" if one.of_product else one.name


def make_inputs(accumulators: Iterable[Accumulator]) -> Inputs:
    """Codes count from 0 in the order of the names; slots likewise, one kind after the other."""
    reactions = [(name, r) for a in accumulators for name, r in a.reactions().items()]
    read = set(read_by(r for _, r in reactions))

    def slots(kind: str, start: int = 0, step: int = 1, *, products: bool = False) -> dict[str, int]:
        paths = [path for found, path in read if found == kind and path.startswith(OF_PRODUCTS) == products]
        given = ("product_id", "price", "quantity") if products else (EVENT,)
        names = sorted({p.removeprefix(OF_PRODUCTS) for p in paths} - set(given))
        plain = (n for n in names if not n.startswith((OF_TIME, GIVEN)))
        return {name: start + step * i for i, name in enumerate(plain)}

    names = {name for name, _ in reactions} | ({PRODUCT_UPDATED} if any(kind == "items" for kind, _ in read) else set())
    numbers, texts = slots("number"), slots("text")
    instants = slots("instant", len(numbers))
    lists = slots("texts", len(texts), LONGEST_LIST)
    keys = sorted({path for kind, path in read if kind == "key"})
    unnamed = [path for path in keys if path not in texts]
    of_keys = {path: len(texts) + LONGEST_LIST * len(lists) + i for i, path in enumerate(unnamed)}
    product_numbers = slots("number", STOCK + 1, products=True)
    return Inputs(
        {name: i for i, name in enumerate(sorted(names))},
        numbers,
        texts,
        instants,
        slots("date", len(numbers) + len(instants)),
        lists,
        product_numbers,
        slots("text", STOCK + 1 + len(product_numbers), products=True),
        of_keys | {path: texts[path] for path in keys if path in texts},
    )

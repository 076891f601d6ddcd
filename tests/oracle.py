"""The oracle: what the design says, done in the plainest way, to compare the engine with.

It imports nothing of ``stream``.  It keeps every event, computes every value from all events each time, and judges
every customer in every dimension at every millisecond, so it knows nothing of deadlines and expiries.  Histories must
therefore be short (hundreds of milliseconds), with durations to match; a day is a few milliseconds here.

Rules it follows (design.md: Words, Time, Settled):

- Records merge by the greatest time so far in their topic, ties by topic, then by offset.
- Before an event at t, everything that becomes true by time alone up to and including t has become true.
- A late event counts at its own instant, moves segments from the customer's latest instant on, and finds in force what
  the clock had already declared.  The clock is the greatest time so far of all records applied.
- The first segment whose condition holds is the customer's, else ``otherwise``, else none.
- ``from``: only who is in one of these may enter.  ``leave``: who is in stays until it holds, and nobody enters while
  it holds.  ``for``: it ends that long after it was entered.
- ``stay`` (of the segment, else of the dimension): nobody leaves before it has passed.  ``cooldown``: nobody enters the
  segment for so long after leaving it.
- A comparison of two decaying rates is judged as of the latest multiple of ``every``, or of the customer's latest own
  event if that came later.
- The cut of a value at a share is given; unknown ones are missing.  ``top 20%`` is above the cut at 80%, ``bottom 20%``
  at or below the cut at 20%; a quintile is one more than the number of cuts (20, 40, 60, 80%) that the value is above.
- ``share("name")`` is MurmurHash3 (32 bits) of the customer's hash, seeded with the name's, over 2 to the 32.
- What is missing makes a comparison false.  A window is (t - w, t].
- An event whose name no feature reads moves the clock and nothing else.
- A repetition among a customer's last eight message ids is dropped.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from tests.oracle_features import DURATION, Happened, bag_of, feature, milliseconds, names_in, read_by


class Move(NamedTuple):
    """A segment change."""

    customer: str
    dimension: str
    from_segment: str | None
    to_segment: str | None
    at: int
    cause: str


# Conditions: Python's own syntax tree, walked.


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
            case ast.Compare() if self.every and decaying(node) > 1 and not self.looking:
                return self.looked().walk(node)
            case ast.Compare():
                sides = [node.left, *node.comparators]
                return all(self.compare(a, op, b) for a, op, b in zip(sides, node.ops, sides[1:], strict=False))
            case ast.BinOp():
                a, b = self.walk(node.left), self.walk(node.right)
                return None if a is None or b is None else number_or_none(lambda: ARITHMETIC[type(node.op)](a, b))
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
                return feature(self.features[owner.id], self.past, self.now, node.attr)
            case ast.Name():
                return feature(self.features[node.id], self.past, self.now, "")
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

    def looked(self) -> Scene:
        """The scene when it was last looked at."""
        at = self.now if self.every is None else max(self.now - self.now % self.every, self.customer.seen)
        return replace(self, now=at, looking=True)


TILES = {"quartile": 4, "quintile": 5, "decile": 10}
PART = re.compile(r"(top|bottom) (\d+)%")


def decaying(node: ast.expr) -> int:
    """How many decaying rates are named in it: those whose names begin with ``rate``."""
    return sum(isinstance(part, ast.Name) and part.id.startswith("rate") for part in ast.walk(node))


def hashed(text: str) -> bytes:
    """Eight bytes of BLAKE2b; were they all zero, the number one instead."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return digest if any(digest) else b"\x01" + bytes(7)


def share_of(customer: str, name: str) -> float:
    """The customer's place in the random order that a name gives all customers."""
    return float(murmur3(hashed(customer), int.from_bytes(hashed(name)[:4], "little")) / 2**32)


def murmur3(data: bytes, seed: int) -> int:
    """MurmurHash3_x86_32 of whole four-byte blocks, after its author's description."""
    h = seed
    for start in range(0, len(data), 4):
        k = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 % 2**32
        k = rotated(k, 15) * 0x1B873593 % 2**32
        h = (rotated(h ^ k, 13) * 5 + 0xE6546B64) % 2**32
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def rotated(x: int, by: int) -> int:
    """32 bits turned to the left."""
    return (x << by | x >> 32 - by) % 2**32


SYNTAX: dict[str, ast.expr] = {}


def syntax(text: str) -> ast.expr:
    """Python's syntax tree of a condition, its durations as milliseconds."""
    if text not in SYNTAX:
        text_of_parts = PART.sub(lambda match: f"part({int(match[2]) / 100}, {match[1] == 'top'})", text)
        shares = re.sub(r"\b(\d+)%", lambda match: str(int(match[1]) / 100), text_of_parts)
        plain = DURATION.sub(lambda match: str(milliseconds(match[0])), shares)
        SYNTAX[text] = ast.parse(plain, mode="eval").body
    return SYNTAX[text]


# Customers and time.


@dataclass
class Customer:
    """All that is known of one customer."""

    name: str
    segments: dict[str, str | None]
    latest: int
    judged: int
    seen: int
    past: list[Happened] = field(default_factory=list)
    entered: dict[str, int] = field(default_factory=dict)
    before: dict[str, str | None] = field(default_factory=dict)
    #: Dimension and segment -> when it was last left.
    left: dict[tuple[str, str | None], int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


class Oracle:
    """Judges histories by definitions given as plain mappings (what the YAML says); ``cuts`` gives the cut of an
    expression at a share."""

    def __init__(
        self,
        dimensions: Iterable[Mapping[str, Any]],
        cuts: Callable[[str, float], float | None] = lambda of, share: None,
    ) -> None:
        self.cuts = cuts
        by_name = {d["dimension"]: d for d in dimensions}
        self.order = [by_name[name] for name in in_order(by_name)]
        self.known = {name for d in self.order for spec in d.get("features", {}).values() for name in read_by(spec)}
        self.customers: dict[str, Customer] = {}
        self.moves: list[Move] = []

    def run(self, topics: Mapping[str, Sequence[Happened]], until: int) -> list[Move]:
        """The moves of a history, each topic in the order of its log, the clock going on to ``until``."""
        for key, happened in merged(topics):
            if happened.customer and happened.name not in self.known:
                pass
            elif happened.customer:
                self.own_event(happened)
            else:
                self.product_event(happened)
            self.clock(key)
        self.clock(until)
        return self.moves

    def clock(self, upto: int) -> None:
        """Time passes for everyone."""
        for name, customer in self.customers.items():
            self.pass_time(name, customer, upto)

    def pass_time(self, name: str, customer: Customer, upto: int) -> None:
        """Judge the customer at every millisecond up to and including an instant."""
        for now in range(customer.judged + 1, upto + 1):
            if self.judge(name, customer, now, "deadline"):
                customer.latest = now
        customer.judged = max(customer.judged, upto)

    def own_event(self, happened: Happened) -> None:
        """Something a customer did."""
        customer = self.customers.get(happened.customer)
        if customer is None:
            nowhere = dict.fromkeys((d["dimension"] for d in self.order), None)
            customer = self.customers[happened.customer] = Customer(
                happened.customer, dict(nowhere), happened.t, happened.t, happened.t
            )
        elif happened.message in customer.messages[-8:]:
            return
        self.pass_time(happened.customer, customer, happened.t)
        customer.messages.append(happened.message)
        customer.seen = max(customer.seen, happened.t)
        self.learn(happened.customer, customer, happened)

    def product_event(self, happened: Happened) -> None:
        """Something that happened to a product: it moves those who hold it in a bag."""
        products = {product for product, _ in happened.products}
        for name, customer in self.customers.items():
            bags = [f for d in self.order for f in d.get("features", {}).values() if "bag" in f]
            if any(products & bag_of(bag, customer.past).keys() for bag in bags):
                self.pass_time(name, customer, happened.t)
                self.learn(name, customer, happened)

    def learn(self, name: str, customer: Customer, happened: Happened) -> None:
        """The customer's past has one event more; what follows is judged anew from their latest instant on."""
        customer.past.append(happened)
        customer.latest = customer.judged = max(customer.latest, happened.t)
        self.judge(name, customer, customer.latest, "event")

    def judge(self, name: str, customer: Customer, now: int, cause: str) -> bool:
        """The customer's segments at an instant, dimension by dimension; whether one changed."""
        changed = False
        for dimension in self.order:
            own = dimension["dimension"]
            before, after = customer.segments[own], self.segment(dimension, customer, now)
            if before != after:
                self.moves.append(Move(name, own, before, after, now, cause))
                customer.segments[own], customer.entered[own] = after, now
                customer.before[own], customer.left[own, before] = before, now
                changed = True
        return changed

    def segment(self, dimension: Mapping[str, Any], customer: Customer, now: int) -> str | None:
        """The first segment that holds."""
        own = dimension["dimension"]
        current = customer.segments[own]
        rules = dimension["segments"]
        stays = {rule["segment"]: rule.get("stay", dimension.get("stay")) for rule in rules}
        stay = stays.get(current, dimension.get("stay")) if current is not None else None
        if stay is not None and now < customer.entered[own] + milliseconds(stay):
            return current
        for rule in rules:
            scene = self.scene(dimension, rule, customer, now)
            if self.holds(rule, scene, own):
                return str(rule["segment"])
        return dimension.get("otherwise")

    def scene(self, dimension: Mapping[str, Any], rule: Mapping[str, Any], customer: Customer, now: int) -> Scene:
        """What the conditions of one segment are judged by."""
        every = rule.get("every", dimension.get("every"))
        often = milliseconds(every) if every else None
        return Scene(dimension.get("features", {}), customer.past, now, customer, self.cuts, often)

    def holds(self, rule: Mapping[str, Any], scene: Scene, own: str) -> bool:
        """Whether a customer is in this segment, or enters it."""
        customer, current = scene.customer, scene.customer.segments[own]
        leaves = "leave" in rule and scene.truth(rule["leave"])
        if rule["segment"] == current:
            over = "for" in rule and scene.now >= customer.entered[own] + milliseconds(rule["for"])
            return not over and (not leaves if "leave" in rule else scene.truth(rule["when"]))
        left = customer.left.get((own, rule["segment"]))
        if "cooldown" in rule and left is not None and scene.now < left + milliseconds(rule["cooldown"]):
            return False
        allowed = "from" not in rule or current in names_in(rule["from"])
        return allowed and scene.truth(rule["when"]) and not leaves


def in_order(dimensions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Dimensions, what others speak of first, then by name."""
    spoken = {
        name: {n for n in dimensions if any(re.search(rf"segment\.{n}\b", str(rule)) for rule in d["segments"])}
        for name, d in dimensions.items()
    }
    sorter = TopologicalSorter(spoken)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def merged(topics: Mapping[str, Sequence[Happened]]) -> list[tuple[int, Happened]]:
    """The records of all topics as one sequence, each with its key: the greatest time so far in its topic."""
    found = []
    for topic, records in topics.items():
        key = -(1 << 60)
        for offset, happened in enumerate(records):
            key = max(key, happened.t)
            found.append((key, topic, offset, happened))
    return [(key, happened) for key, _, _, happened in sorted(found, key=lambda entry: entry[:3])]

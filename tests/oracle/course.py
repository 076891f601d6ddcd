"""The oracle's customers and time.  See :mod:`tests.oracle`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from tests.oracle.conditions import Scene, asked, syntax
from tests.oracle.customer import Customer
from tests.oracle.features import Happened, bag_of, goes_by_zone, milliseconds, names_in, read_by
from tests.oracle.motion import always_solvable

#: Before everything.
LONG_AGO = -(1 << 60)


class Move(NamedTuple):
    """A segment change."""

    customer: str
    dimension: str
    from_segment: str | None
    to_segment: str | None
    at: int
    cause: str


class Oracle:
    """Judges histories by definitions given as plain mappings (what the YAML says).

    ``cuts`` gives the cut of an expression at a share; ``disorder`` is how far (ms) the clock stays behind the events;
    ``instants`` gives those after one and up to another at which anything could change by time alone.
    """

    def __init__(
        self,
        dimensions: Iterable[Mapping[str, Any]],
        cuts: Callable[[str, float], float | None] = lambda of, share: None,
        disorder: int = 0,
        instants: Callable[[int, int], Iterable[int]] = lambda after, upto: range(after + 1, upto + 1),
    ) -> None:
        self.cuts, self.disorder, self.instants = cuts, disorder, instants
        by_name = {d["dimension"]: d for d in dimensions}
        self.spoken = {name: spoken_of(name, by_name) for name in by_name}
        self.order = [by_name[name] for name in in_order(self.spoken)]
        self.read = {name: names_read(d) for name, d in by_name.items()}
        self.known = {name for names in self.read.values() for name in names}
        self.customers: dict[str, Customer] = {}
        self.moves: list[Move] = []
        #: For each move, the values of the features that the dimension asks, by name and view.
        self.evidence: list[dict[str, Any]] = []
        #: The greatest time so far in each topic, and what time has come to.
        self.reached: dict[str, int] = {}
        self.now = LONG_AGO

    def run(self, topics: Mapping[str, Sequence[Happened]], until: int) -> list[Move]:
        """The moves of a history, each topic in the order of its log, the clock going on to ``until``.

        Called again it goes on from there: ``until`` was what the clock had come to when the topics were at their ends.
        """
        for key, happened in merged(topics, self.reached):
            self.now = max(self.now, key - self.disorder)
            if happened.customer and happened.name in self.known:
                self.own_event(happened, max(happened.t, self.now))
            elif not happened.customer:
                self.product_event(happened, max(happened.t, self.now))
            self.pass_time_for_all()
        self.now = max(self.now, until - self.disorder)
        self.pass_time_for_all()
        return self.moves

    def pass_time_for_all(self) -> None:
        """Time passes for everyone."""
        for name, customer in self.customers.items():
            self.pass_time(name, customer, self.now)

    def pass_time(self, name: str, customer: Customer, upto: int) -> None:
        """Judge the customer at every instant that could matter, up to and including one."""
        for now in self.instants(customer.judged, upto):
            if self.judge(name, customer, now, "deadline", self.spoken):
                customer.latest = now
        customer.judged = max(customer.judged, upto)

    def own_event(self, happened: Happened, upto: int) -> None:
        """Something a customer did, who finds in force what was declared up to an instant."""
        customer = self.customers.get(happened.customer)
        if customer is None:
            nowhere = dict.fromkeys((d["dimension"] for d in self.order), None)
            customer = self.customers[happened.customer] = Customer(
                happened.customer, dict(nowhere), happened.t, happened.t, happened.t
            )
        elif happened.message in customer.messages[-8:] or customer.told(happened):
            return
        else:
            self.pass_time(happened.customer, customer, upto)
        customer.remember(happened)
        customer.seen = max(customer.seen, happened.t)
        self.learn(happened.customer, customer, happened)

    def product_event(self, happened: Happened, upto: int) -> None:
        """Something that happened to a product: it moves those who hold it in a bag."""
        products = {product for product, _ in happened.products}
        for name, customer in self.customers.items():
            bags = [f for d in self.order for f in d.get("features", {}).values() if "bag" in f]
            if any(products & bag_of(bag, customer.past).keys() for bag in bags):
                self.pass_time(name, customer, upto)
                self.learn(name, customer, happened)

    def learn(self, name: str, customer: Customer, happened: Happened) -> None:
        """The customer's past has one event more; what follows is judged anew from their latest instant on."""
        customer.past.append(happened)
        customer.latest = customer.judged = max(customer.latest, happened.t)
        first = len(customer.past) == 1
        concerned = [d["dimension"] for d in self.order if first or self.concerns(d, happened)]
        self.judge(name, customer, customer.latest, "event", concerned)

    def concerns(self, dimension: Mapping[str, Any], happened: Happened) -> bool:
        """Whether an event is read by a dimension's features, or looked from."""
        features = dimension.get("features", {})
        if not happened.customer:
            return any("bag" in spec for spec in features.values())
        if happened.name in self.read[dimension["dimension"]]:
            return True
        asked = [rule[key] for rule in dimension["segments"] for key in ("when", "leave") if key in rule]
        return not all(always_solvable(syntax(text), features) for text in asked)

    def judge(self, name: str, customer: Customer, now: int, cause: str, concerned: Collection[str]) -> bool:
        """The customer's segments at an instant, dimension by dimension, of these and of those that speak of one that
        changes; whether one changed."""
        changed: set[str] = set()
        for dimension in self.order:
            own = dimension["dimension"]
            if own not in concerned and not changed & self.spoken[own]:
                continue
            before, after = customer.segments[own], self.segment(dimension, customer, now)
            if before != after:
                self.moves.append(Move(name, own, before, after, now, cause))
                self.evidence.append(self.values(dimension, customer, now))
                customer.segments[own], customer.entered[own] = after, now
                customer.before[own], customer.left[own, before] = before, now
                changed.add(own)
        return bool(changed)

    def values(self, dimension: Mapping[str, Any], customer: Customer, now: int) -> dict[str, Any]:
        """What each feature came to that a dimension's conditions ask."""
        scene = self.scene(dimension, {}, customer, now)
        conditions = [rule[key] for rule in dimension["segments"] for key in ("when", "leave") if key in rule]
        names = {name for text in conditions for name in asked(syntax(text), scene.features)}
        return {name: scene.walk(syntax(name)) for name in names}

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
        zone = dimension.get("zone", "UTC")
        return Scene(dimension.get("features", {}), customer.past, now, customer, self.cuts, often, zone)

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


def names_read(dimension: Mapping[str, Any]) -> set[str]:
    """The names of events that a dimension's features read, or that tell the zone that they go by."""
    features, zone = dimension.get("features", {}).values(), dimension.get("zone")
    own = not isinstance(zone, str | None) and any(goes_by_zone(spec) for spec in features)
    return {name for spec in features for name in read_by(spec)} | ({"Identify"} if own else set())


def spoken_of(name: str, dimensions: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The dimensions that a dimension speaks of."""
    rules = str(dimensions[name]["segments"])
    return {other for other in dimensions if re.search(rf"segment\.{other}\b", rules)}


def in_order(spoken: Mapping[str, set[str]]) -> list[str]:
    """Dimensions, what others speak of first, then by name."""
    sorter = TopologicalSorter(spoken)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def merged(topics: Mapping[str, Sequence[Happened]], reached: dict[str, int]) -> list[tuple[int, Happened]]:
    """The records of all topics as one sequence, each with its key: the greatest time so far in its topic, which
    ``reached`` keeps."""
    found = []
    for topic, records in topics.items():
        for offset, happened in enumerate(records):
            reached[topic] = max(reached.get(topic, LONG_AGO), happened.t)
            found.append((reached[topic], topic, offset, happened))
    return [(key, happened) for key, _, _, happened in sorted(found, key=lambda entry: entry[:3])]

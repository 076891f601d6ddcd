"""The plan: definitions, compiled.  What a row holds, what an event must bring, and the kernels that apply events."""

from __future__ import annotations

import importlib.abc
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.features.base import Purchases
from stream.features.known_zone import BagsAndZones, all_zones, own_zones
from stream.plan import earlier_rows, finding, header, packing, telling, unpacking
from stream.plan.definitions import Definitions
from stream.plan.inputs import Inputs, make_inputs
from stream.plan.judging import evidence
from stream.plan.layout import Layout, make_layout, populations
from stream.plan.motion import UNSOLVED, MotionError
from stream.plan.problems import DefinitionError
from stream.plan.shares import find_shares
from stream.plan.source import Generator
from stream.plan.tree import FeatureRef

MAX_DIMENSIONS = 62


class Finding(NamedTuple):
    """What keeps and looks up the rows of customers by their ids (:mod:`stream.plan.finding`)."""

    find: Callable[..., None]
    add: Callable[..., tuple[int, int]]
    remove: Callable[..., int]
    rebuild: Callable[..., None]
    gather: Callable[..., int]


class Packing(NamedTuple):
    """What writes rows as they are at rest and reads them again, also as they were written before (``earlier``), what
    finds rows, and what writes changes: the same for all plans."""

    pack: Callable[..., int]
    unpack: Callable[..., int]
    place: Callable[..., None]
    assign: Callable[..., int]
    tell: Callable[..., None]
    latest: Callable[..., None]
    earlier: Callable[..., int]
    finding: Finding


#: Uncompiled, for twins.
PLAIN = Packing(
    packing.pack,
    unpacking.unpack,
    unpacking.place,
    telling.assign,
    telling.tell,
    telling.latest,
    earlier_rows.unpack,
    Finding(finding.find, finding.add, finding.remove, finding.rebuild, finding.gather),
)


@dataclass(frozen=True)
class Kernels:
    """The entry points of a generated module; see :mod:`stream.plan.loops` for what they take and return."""

    work: Callable[..., tuple[int, int]]
    measuring: Callable[..., None]
    packing: Packing = PLAIN
    #: The tables of all time zones, where customers go by their own.
    zones: NDArray[np.int64] | None = None
    no_events: header.Events = field(default_factory=header.no_events)
    no_rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def apply(self, table: Any, bags: Any, models: Any, ev: Any, out: Any, n: int, start: int) -> tuple[int, int]:
        """Apply events from ``start``; returns (changes, where to go on)."""
        return self.work(header.APPLY, table, self.with_zones(bags), models, ev, self.no_rows, 0, out, n, start)

    def fire(
        self, table: Any, bags: Any, models: Any, rows: Any, upto: int, out: Any, n: int, start: int
    ) -> tuple[int, int]:
        """Settle these rows up to an instant, from ``start``; returns (changes, where to go on)."""
        return self.work(header.FIRE, table, self.with_zones(bags), models, self.no_events, rows, upto, out, n, start)

    def rearm(self, table: Any, bags: Any, models: Any, rows: Any, out: Any) -> None:
        """Work out the expiries of these rows, which came from rest."""
        self.work(header.ARM, table, self.with_zones(bags), models, self.no_events, rows, 0, out, 0, 0)

    def measure(self, table: Any, bags: Any, models: Any, rows: Any, now: int, into: Any) -> None:
        """Write what cuts by share are taken of, for these rows as of an instant, into a matrix; where it is wider, the
        vector of the learned dimension behind that."""
        self.measuring(table, self.with_zones(bags), models, rows, now, into)

    def with_zones(self, bags: Any) -> Any:
        """The pool of bags as these kernels take it."""
        return bags if self.zones is None else BagsAndZones(bags.entries, bags.table, bags.meta, self.zones)


@dataclass(frozen=True)
class Plan:
    """Everything the engine needs to know of the definitions."""

    definitions: Definitions
    layout: Layout
    inputs: Inputs
    #: For each dimension, the features whose values go with its changes.
    evidence: tuple[tuple[FeatureRef, ...], ...]
    source: str
    kernels: Kernels
    #: What cuts by share are taken of: canonical texts of dimension and expression, the same under other definitions.
    measures: tuple[str, ...] = ()
    #: The cuts that conditions compare with, in the order of ``Models.cuts``: (index of the measure, share).
    cuts: tuple[tuple[int, float], ...] = ()

    @property
    def vector(self) -> tuple[str, ...]:
        """Names of the parts of the vector that the learned dimension is learned from; empty where there is none."""
        learning = next((d.learning for d in self.definitions.dimensions if d.learning), None)
        return tuple(learning.vector) if learning else ()

    @property
    def lifetime(self) -> Purchases | None:
        """Where rows have what the model of lifetimes is learned from; None where no feature goes by it."""
        return self.layout.lifetime

    @property
    def learned(self) -> int | None:
        """The number of the learned dimension, or None."""
        return next((j for j, d in enumerate(self.definitions.dimensions) if d.learning), None)


def plan_source(definitions: Definitions, *, twin: bool = False) -> tuple[Layout, Inputs, str]:
    """Layout, inputs and the text of the generated module; raises :class:`DefinitionError` for what has no plan."""
    first = definitions.dimensions[0].place if definitions.dimensions else None
    if first is not None and len(definitions.dimensions) > MAX_DIMENSIONS:
        raise DefinitionError([(first, f"more than {MAX_DIMENSIONS} dimensions in one plan")])
    learned = [d for d in definitions.dimensions if d.learning]
    if len(learned) > 1:
        raise DefinitionError([(learned[1].place, f"only one dimension can learn; {learned[0].name!r} does already")])
    layout = make_layout(definitions)
    if first is not None and len(bought := populations(layout.base)) > 1:
        raise DefinitionError(
            [(first, f"lifetimes can be learned of one kind of purchase only, not of {_all(bought)}")]
        )
    inputs = make_inputs(layout.base)
    generator = Generator(definitions, layout, inputs, find_shares(definitions), twin)
    try:
        return layout, inputs, generator.module()
    except MotionError as error:
        place = generator.at or first
        raise DefinitionError([(place, f"{UNSOLVED} {error}")] if place else []) from error


def part_sources(definitions: Definitions, layout: Layout, inputs: Inputs) -> list[str]:
    """The texts of modules with the function of one dimension each: what of the plan is compiled by itself."""
    shares = find_shares(definitions)
    return [Generator(definitions, layout, inputs, shares).part(j) for j in range(len(definitions.dimensions))]


def kernel_source(definitions: Definitions, layout: Layout, inputs: Inputs, parts: list[str]) -> str:
    """The text of the module with all the rest of the plan, which calls these functions, by their names."""
    return Generator(definitions, layout, inputs, find_shares(definitions)).module(parts)


def _all(names: list[str]) -> str:
    return " and of ".join(names)


def twin_plan(definitions: Definitions, packing: Packing = PLAIN) -> Plan:
    """The plan with its source run as plain Python: the same results, slowly, without compiling anything."""
    layout, inputs, source = plan_source(definitions, twin=True)
    name = f"<plan {abs(hash(source)):x}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    module = ModuleType("stream_plan_twin")
    loader = _SourceLoader(source, name)
    loader.exec_module(module)
    return make_plan(definitions, layout, inputs, source, module, packing)


def make_plan(
    definitions: Definitions, layout: Layout, inputs: Inputs, source: str, module: Any, packing: Packing = PLAIN
) -> Plan:
    """A plan around a loaded module."""
    zoned = any(own_zones(accumulator) for accumulator in layout.base)
    kernels = Kernels(module.work, module.measure, packing, all_zones() if zoned else None)
    found = tuple(tuple(evidence(dimension)) for dimension in definitions.dimensions)
    shares = find_shares(definitions)
    measures = tuple(measure.text for measure in shares.measures)
    return Plan(definitions, layout, inputs, found, source, kernels, measures, shares.cuts)


class _SourceLoader(importlib.abc.InspectLoader):
    """Loads a module from a text, so that tracebacks and debuggers show it."""

    def __init__(self, source: str, name: str) -> None:
        self.text, self.name = source, name

    def get_source(self, fullname: str) -> str:
        return self.text

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.text, self.name)
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.name
        super().exec_module(module)

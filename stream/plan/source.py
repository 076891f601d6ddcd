"""The plan as source: one module that wires the accumulators' own functions together; readable, and the same text runs
compiled and, as its own twin, uncompiled."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

from stream.events.names import PRODUCT_UPDATED
from stream.events.text import text_hash
from stream.features.bag import Bag
from stream.features.base import Accumulator, Constant, Kind, Reaction, Table
from stream.plan import header, loops
from stream.plan.conditions import Writer
from stream.plan.definitions import Definitions, Dimension, Segment
from stream.plan.layout import Inputs, Layout
from stream.plan.problems import Place
from stream.plan.tree import Condition, FeatureRef, Junction, Not, references

#: The loops that go into every module, in an order in which each knows the ones before it.
LOOPS: tuple[Callable[..., object], ...] = (
    loops.touch,
    loops.known,
    loops.settle,
    loops.apply_own,
    loops.tell_holders,
    loops.apply_product,
    loops.apply,
    loops.fire,
    loops.rearm,
    loops.revise,
    loops.collect,
    loops.spread,
)
#: What the engine calls; these are cached once compiled.
KERNELS = ("apply", "fire", "rearm", "revise", "collect", "spread")

COMPILED = "from stream.plan.jit import constant, jit, kernel"
TWIN = "from stream.plan.jit import plain as jit, plain as kernel, whole as constant"

PREAMBLE = '''"""Generated from the definitions; do not edit.  Dimensions: {names}."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stream.features import pool
from stream.features.base import FOREVER, NEVER, NO_TEXT
from stream.plan import runtime
from stream.plan.header import *
{decorators}

NAN = math.nan
DAY = {day}
#: The most changes that one event or deadline of one customer can cause.
ROOM = {dimensions}
#: Bit j: the event of this code can move dimension j; then none, the learned ones, all.
MOVES = np.array({moves}, dtype=np.int64)
NO_MOVES, MODEL_MOVES, ALL_MOVES = constant({no_moves}), constant({model_moves}), constant({all_moves})
DEADLINE, DEFINITION, MODEL = constant(DEADLINE), constant(DEFINITION), constant(MODEL)
divide = jit(runtime.divide)
log1p = jit(runtime.log1p)
sqrt = jit(runtime.sqrt)
above = jit(runtime.above)
zero = jit(runtime.zero)
standard = jit(runtime.standard)
revisit = jit(runtime.revisit)
'''


@dataclass
class Generator:
    """Builds the module's text, part by part."""

    definitions: Definitions
    layout: Layout
    inputs: Inputs
    twin: bool = False
    used: dict[str, str] = field(default_factory=dict)
    constants: dict[int, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    #: The dimension being written, for messages.
    at: Place | None = None

    def function(self, function: Callable[..., object]) -> str:
        """The name of an accumulator's function in the module, imported and jitted at its first use."""
        module = function.__module__.rsplit(".", 1)[1]
        name = f"{module}_{function.__name__}"
        self.used[name] = f"{function.__module__}.{function.__name__}"
        return name

    def constant(self, value: Constant) -> str:
        """The name of a constant argument.  As a bare literal, numba would compile its function once for each value."""
        if isinstance(value, Table):
            self.tables[value.name] = value
            return value.name
        if not isinstance(value, int):
            return repr(value)
        return self.constants.setdefault(value, f"_{value}" if value >= 0 else f"_minus_{-value}")

    def module(self) -> str:
        """The whole text."""
        for j, dimension in enumerate(self.definitions.dimensions):
            self.at = dimension.place
            self.parts.append(self.dimension(j, dimension))
            self.parts.append(self.record(j, dimension))
        self.parts += [self.evaluate(), self.judge(), self.fold(), self.sample()]
        text = "\n\n".join([self.preamble(), *self.parts, *(self.loop(f) for f in LOOPS)])
        return text.replace("\n\n\n\n", "\n\n\n") + "\n"

    def preamble(self) -> str:
        """Imports, constants and the jitted functions of the accumulators and of the pool."""
        codes = len(self.inputs.codes)
        text = PREAMBLE.format(
            names=", ".join(d.name for d in self.definitions.dimensions),
            decorators=TWIN if self.twin else COMPILED,
            day=loops.DAY,
            dimensions=len(self.definitions.dimensions),
            moves=[*self.moves(), 0, self.learned(), -1],
            no_moves=codes,
            model_moves=codes + 1,
            all_moves=codes + 2,
        )
        tables = [table for _, table in sorted(self.tables.items())]
        modules = sorted({path.rsplit(".", 1)[0] for path in self.used.values()} | {table.module for table in tables})
        imports = "".join(f"import {module}\n" for module in modules)
        functions = "".join(f"{name} = jit({path})\n" for name, path in sorted(self.used.items()))
        constants = "".join(f"{name} = constant({value})\n" for value, name in sorted(self.constants.items()))
        return text + imports + functions + constants + "".join(f"{t.name} = {t.source}\n" for t in tables)

    def loop(self, function: Callable[..., object]) -> str:
        """One of the loops, as it stands in its own file."""
        decorator = "@kernel" if function.__name__ in KERNELS else "@jit"
        return f"{decorator}\n{inspect.getsource(function)}"

    def moves(self) -> list[int]:
        """For each event code, the bits of the dimensions whose features it feeds.

        A learned dimension is judged at every event: when it is judged next counts from the latest one of any name.
        """
        masks = [self.learned() if name != PRODUCT_UPDATED else 0 for name in self.inputs.codes]
        for j, dimension in enumerate(self.definitions.dimensions):
            for accumulator in dimension.features.values():
                for name in accumulator.reactions():
                    masks[self.inputs.codes[name]] |= 1 << j
                if isinstance(accumulator, Bag):
                    masks[self.inputs.codes[PRODUCT_UPDATED]] |= 1 << j
        return masks

    def learned(self) -> int:
        """The bits of the learned dimensions."""
        return sum(1 << j for j, d in enumerate(self.definitions.dimensions) if d.learning)

    def writer(self, j: int, dimension: Dimension) -> Writer:
        """The writer of one dimension's conditions."""
        numbers = {d.name: i for i, d in enumerate(self.definitions.dimensions)}

        def feature(name: str) -> tuple[Accumulator, int]:
            accumulator = dimension.features[name]
            return accumulator, self.layout.base[accumulator]

        def segment(name: str) -> tuple[int, tuple[str, ...]]:
            return self.layout.segment[numbers[name]], self.definitions.dimensions[numbers[name]].segment_names

        return Writer(f"dim_{j}", feature, self.function, segment, text_hash, self.constant)

    def dimension(self, j: int, dimension: Dimension) -> str:
        """``dim_j(r, f, bags, models, now) -> (segment, until)``."""
        writer = self.writer(j, dimension)
        head = f"@jit\ndef dim_{j}(r, f, bags, models, now):  # {dimension.name}\n"
        if dimension.learning:
            return head + self.nearest(dimension, writer)
        lines = [
            f"    g = r[{self.layout.segment[j]}]",
            f"    e = r[{self.layout.entered[j]}]",
            "    u = FOREVER",
        ]
        for code, segment in enumerate(dimension.segments):
            lines += self.segment(dimension, code, segment, writer)
        last = len(dimension.segments) if dimension.otherwise is not None else -1
        lines.append(f"    return {last}, u")
        return "\n\n".join([*writer.helpers, head + "\n".join(lines) + "\n"])

    def segment(self, dimension: Dimension, code: int, segment: Segment, writer: Writer) -> list[str]:
        """Lines that return the segment's code where it holds, and lower ``u`` to when that may differ."""
        lines = [f"    # {segment.name}"]
        if not (segment.came_from or segment.leave or segment.lasts is not None):
            body, v, u = writer.condition(segment.when, "    ")
            return [*lines, *body, f"    u = min(u, {u})", f"    if {v}:", f"        return {code}, u"]
        lines.append(f"    if g == {code}:")
        body, v, u = writer.condition(segment.leave or segment.when, "        ")
        lines += [*body, f"        h = {'not ' if segment.leave else ''}{v}", f"        w = {u}"]
        if segment.lasts is not None:
            lines += [f"        if now >= e + {segment.lasts}:", "            h = False"]
            lines += ["        elif h:", f"            w = min(w, e + {segment.lasts})"]
        names = dimension.segment_names
        allowed = " or ".join(f"g == {names.index(name)}" for name in segment.came_from) or "True"
        lines.append(f"    elif {allowed}:")
        body, v, u = writer.condition(entering(segment), "        ")
        lines += [*body, f"        h = {v}", f"        w = {u}"]
        lines += ["    else:", "        h = False", "        w = FOREVER"]
        return [*lines, "    u = min(u, w)", "    if h:", f"        return {code}, u"]

    def nearest(self, dimension: Dimension, writer: Writer) -> str:
        """The body for a learned dimension: the nearest centroid of the model that this customer is judged by."""
        if dimension.learning is None:
            return ""
        lines = ["    m = 0 if r[VERSION] == models.version[0] else 1"]
        for i, number in enumerate(dimension.learning.vector.values()):
            lines.append(f"    x{i} = standard({writer.number(number)}, models.mean[m, {i}], models.scale[m, {i}])")
        terms = " + ".join(f"(x{i} - models.centroids[m, c, {i}]) ** 2" for i in range(len(dimension.learning.vector)))
        lines += ["    best = -1", "    least = math.inf", "    for c in range(models.clusters[m]):"]
        lines += [f"        d = {terms}", "        if d < least:", "            best = c", "            least = d"]
        lines.append(f"    return best, revisit(r[SEEN], now, {dimension.learning.every})")
        return "\n".join(lines) + "\n"

    def record(self, j: int, dimension: Dimension) -> str:
        """``record_j``: write a change and the values of the features that the dimension used."""
        writer = self.writer(j, dimension)
        lines = [f"@jit\ndef record_{j}(r, f, bags, i, to, now, cause, out, n):", "    r[SEQUENCE] += 1"]
        lines.append("    ints = out.ints[n]\n    floats = out.floats[n]")
        column = self.layout.segment[j]
        fields = [("ROW", "i"), ("DIMENSION", str(j)), ("FROM", f"r[{column}]"), ("TO", "to")]
        fields += [("AT", "now"), ("CAUSE", "cause"), ("NUMBER", "r[SEQUENCE]")]
        lines += [f"    ints[{name}] = {code}" for name, code in fields]
        for k, ref in enumerate(evidence(dimension)):
            into = "ints" if ref.kind is Kind.TEXT else "floats"
            lines.append(f"    {into}[{header.EVIDENCE + k}] = {writer.read(ref, 'now')}")
        lines += [f"    r[{column}] = to", f"    r[{self.layout.entered[j]}] = now"]
        return "\n".join(lines) + "\n"

    def evaluate(self) -> str:
        """``evaluate``: dimensions in order, each where the event moves it, it is due, or one it depends on changed."""
        lines = [
            "@jit",
            "def evaluate(table, bags, models, i, now, cause, moves, out, n):",
            "    r = table.ints[i]",
            "    f = table.floats[i]",
            "    un = table.expiry[i]",
            "    mask = MOVES[moves] if r[LATEST] != NEVER else -1",
            "    changed = 0",
            "    soonest = FOREVER",
        ]
        names = {d.name: k for k, d in enumerate(self.definitions.dimensions)}
        for j, dimension in enumerate(self.definitions.dimensions):
            depends = sum(1 << names[name] for name in dimension.refers_to())
            test = f"mask & {1 << j} or un[{j}] <= now" + (f" or changed & {depends}" if depends else "")
            column = self.layout.segment[j]
            lines += [
                f"    if {test}:  # {dimension.name}",
                f"        s, u = dim_{j}(r, f, bags, models, now)",
                f"        if s != r[{column}]:",
                f"            record_{j}(r, f, bags, i, s, now, cause, out, n)",
                "            n += 1",
                f"            changed |= {1 << j}",
            ]
            if stateful(dimension):  # its own segment is part of its conditions: look again from inside the new one
                lines += [f"            again, u = dim_{j}(r, f, bags, models, now)"]
                lines += ["            if again != s:", "                u = now + 1"]
            lines += [f"        un[{j}] = u", f"    soonest = min(soonest, un[{j}])"]
        lines += ["    if cause != DEADLINE or changed:", "        r[LATEST] = max(r[LATEST], now)"]
        lines += ["    table.deadline[i] = soonest", "    return n"]
        return "\n".join(lines) + "\n"

    def judge(self) -> str:
        """``judge``: expiries alone, for rows that came from rest."""
        lines = ["@jit", "def judge(table, bags, models, i, now):", "    r = table.ints[i]", "    f = table.floats[i]"]
        lines.append("    soonest = FOREVER")
        for j, dimension in enumerate(self.definitions.dimensions):
            lines.append(f"    s, u = dim_{j}(r, f, bags, models, now)")
            if not dimension.learning:
                lines += [f"    if s != r[{self.layout.segment[j]}]:", "        u = now + 1"]
            lines += [f"    table.expiry[i, {j}] = u", "    soonest = min(soonest, u)"]
        lines.append("    table.deadline[i] = soonest")
        return "\n".join(lines) + "\n"

    def fold(self) -> str:
        """``fold``: for each event code, the accumulators that it feeds."""
        lines = ["@jit", "def fold(code, r, f, t, bags, i, ev, k):"]
        for name, code in self.inputs.codes.items():
            calls = [
                self.call(reaction, base)
                for accumulator, base in self.layout.base.items()
                if (reaction := accumulator.reactions().get(name))
            ]
            if calls:
                lines.append(f"    {'elif' if len(lines) > 2 else 'if'} code == {code}:  # {name}")
                lines += [f"        {call}" for call in calls]
        return "\n".join(lines if len(lines) > 2 else [*lines, "    pass"]) + "\n"

    def call(self, reaction: Reaction, base: int) -> str:
        """One accumulator's fold of one event."""
        reads = {
            None: "",
            "number": f", ev.numbers[k, {self.inputs.numbers.get(reaction.path, 0)}]",
            "text": f", ev.texts[k, {self.inputs.texts.get(reaction.path, 0)}]",
            "items": ", bags, i, ev.items, ev.first[k], ev.first[k + 1]",
        }[reaction.reads]
        constants = "".join(f", {self.constant(c)}" for c in reaction.constants)
        return f"{self.function(reaction.fold)}(r, f, {self.constant(base)}, t{reads}{constants})"

    def sample(self) -> str:
        """``sample``: the vector of the learned dimension, for the trainer."""
        lines = ["@jit", "def sample(table, bags, i, now, out):"]
        for j, dimension in enumerate(self.definitions.dimensions):
            if dimension.learning:
                writer = self.writer(j, dimension)
                lines += ["    r = table.ints[i]", "    f = table.floats[i]", "    n = table.counters[SAMPLED]"]
                for k, number in enumerate(dimension.learning.vector.values()):
                    lines.append(f"    out.vectors[n, {k}] = {writer.number(number)}")
                lines += ["    out.sampled[n, 0] = i", "    out.sampled[n, 1] = now"]
                lines.append("    table.counters[SAMPLED] += 1")
        return "\n".join(lines if len(lines) > 2 else [*lines, "    pass"]) + "\n"


def stateful(dimension: Dimension) -> bool:
    """Whether the segment a customer is in is part of what decides the next one."""
    return any(s.came_from or s.leave or s.lasts is not None for s in dimension.segments)


def entering(segment: Segment) -> Condition:
    """When a customer enters: nobody does while ``leave`` holds, else they would be out and in again for ever."""
    if segment.leave is None:
        return segment.when
    return Junction("and", (segment.when, Not(segment.leave, 0)), 0)


def evidence(dimension: Dimension) -> list[FeatureRef]:
    """The features that decide the dimension, in the order of their names."""
    expressions = [c for s in dimension.segments for c in (s.when, s.leave) if c is not None]
    used: set[tuple[str, str]] = set()
    for expression in [*expressions, *(dimension.learning.vector.values() if dimension.learning else ())]:
        used |= references(expression)
    found = []
    for name, view in sorted(used):
        shown = dimension.features[name].views()[view]
        found.append(FeatureRef(name, view, shown.kind, shown.shape, 0))
    return found

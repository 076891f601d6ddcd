"""The plan as source: one module that wires the accumulators' own functions together; readable, and the same text runs
compiled and, as its own twin, uncompiled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stream.events.names import PRODUCT_UPDATED
from stream.events.text import text_hash
from stream.features import pool, told
from stream.features.bag import Bag
from stream.features.base import Accumulator, Constant, ModelNumbers, Table
from stream.features.known_zone import MASK, SPLIT, keeper, lines_of, own_zones
from stream.features.own_zone import OwnZone
from stream.features.told import Told
from stream.plan import loops
from stream.plan.asking import Asking
from stream.plan.conditions import SegmentColumns, Writer
from stream.plan.definitions import Definitions, Dimension
from stream.plan.folds import FoldWriter
from stream.plan.inputs import Inputs
from stream.plan.judging import Judging
from stream.plan.layout import Layout
from stream.plan.motion import unsolved
from stream.plan.problems import Place
from stream.plan.shares import Shares
from stream.plan.tree import Cut

#: The loops that go into every module, in an order in which each knows the ones before it.
LOOPS: tuple[Callable[..., object], ...] = (
    loops.change,
    loops.gone_at,
    loops.touch,
    loops.slot_of,
    loops.known,
    loops.forget,
    loops.settle,
    loops.apply_own,
    loops.apply_forget,
    loops.tell_holders,
    loops.apply_product,
    loops.apply,
    loops.fire,
    loops.rearm,
    loops.work,
)
#: A vector stands for the time since the customer was last looked at; for so many times ``every`` one is surely taken.
WEIGHED = 7
#: What the function of a dimension is called in a module of its own.
PART = "judge"
#: How many of them, the first ones, are called by what is generated.
CALLED = 4
#: Their texts, read while the files are those that were imported: they may be replaced under a running worker.
TEXTS = {function.__name__: inspect.getsource(function) for function in LOOPS}
#: What is called from outside; these are cached once compiled.
KERNELS = ("work", "measure")
#: Called once in the kernels, and made part of the caller: passing all arrays on costs time to compile.
INLINED = (
    "apply", "apply_forget", "apply_own", "apply_product", "fire", "gone_at", "known", "rearm", "slot_of",
    "tell_holders", "touch",
)  # fmt: skip

COMPILED = """from stream.plan.jit import constant, inlined, jit, kernel, shared
from stream.plan.parts import called, opened, opened_with_zones, part, pointer"""
TWIN = """from stream.plan.jit import plain as inlined, plain as jit, plain as kernel, plain as shared
from stream.plan.jit import same as opened, same as opened_with_zones, same as pointer, whole as constant"""

PREAMBLE = '''"""Generated from the definitions; do not edit."""

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
{runtime}'''

#: What only kernels need of it.
LIMITS = """#: The most changes that one event or deadline of one customer can cause.
ROOM = {dimensions}
#: The most questions that one instant of one customer can bring.
QUESTIONS = {questions}
#: Bit j: the event of this code can move dimension j.
MOVES = np.array({moves}, dtype=np.int64)
#: The bags' columns; the last is none.
BAGS = np.array({bags}, dtype=np.int64)
#: The columns of the dimensions' segments.
SEGMENTS = np.array({segments}, dtype=np.int64)
NO_MOVES, ALL_MOVES = constant(0), constant(-1)
DEADLINE, REARM = constant(DEADLINE), constant(REARM)
"""


#: Functions of `stream.plan.runtime` by their names there; numba compiles those that are called.
RUNTIME = (
    "above", "ago", "differ", "divide", "drawn", "earlier", "later", "log1p", "look", "looked", "meets", "next_look",
    "present", "reaches", "revisit", "share_of", "sqrt", "square", "standard", "zero",
)  # fmt: skip


@dataclass
class Generator:
    """Builds the module's text, part by part."""

    definitions: Definitions
    layout: Layout
    inputs: Inputs
    shares: Shares
    twin: bool = False
    used: dict[str, str] = field(default_factory=dict)
    constants: dict[int, str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    #: Function -> its text: what gives the table of a row's own zone.
    own_zones: dict[str, str] = field(default_factory=dict)
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
        if isinstance(value, OwnZone):
            if value.name not in self.own_zones:
                self.own_zones[value.name] = self.own_zone(value)
            return f"{value.name}(r, bags)"
        if isinstance(value, ModelNumbers):
            at = self.layout.numbers[value]
            return f"models.numbers[slot_of(models, r), {at}:{at + len(value.names)}]"
        if not isinstance(value, int):
            return repr(value)
        return self.constants.setdefault(value, f"_{value}" if value >= 0 else f"_minus_{-value}")

    def own_zone(self, own: OwnZone) -> str:
        """The function that gives the table of a row's own zone."""
        named, other = self.constant(self.layout.base[keeper(own)]), self.constant(text_hash(own.other))
        return "\n".join(
            [
                "@inlined",
                f"def {own.name}(r, bags):  # by {own.path!r}, else {own.other!r}",
                f"    lines = {self.function(lines_of)}(bags.zones, r[{named}], {other})",
                f"    return bags.zones[lines >> {SPLIT} : lines & {MASK}]",
                "",
            ]
        )

    def module(self, parts: Sequence[str] = ()) -> str:
        """The whole text; ``parts``: the names of the functions of the dimensions, where these are compiled by
        themselves."""
        for j, dimension in enumerate(self.definitions.dimensions):
            self.at = dimension.place
            judging = self.judging(j, dimension)
            if parts:
                self.parts.append(f"dim_{j} = called({parts[j]!r})\n")
            else:
                self.parts.append(judging.judged(f"dim_{j}", "@jit", self.opened))
        self.parts += [
            *self.asking.functions(),
            self.vector(),
            self.evaluate(),
            self.repeated(),
            self.fold(),
            self.sample(),
            self.measure(),
        ]
        loops = [self.loop(function) for function in LOOPS]  # what the parts call comes before them
        zones = [text for _, text in sorted(self.own_zones.items())]
        return _joined([self.preamble(), self.limits(), *zones, *loops[:CALLED], *self.parts, *loops[CALLED:]])

    def part(self, j: int) -> str:
        """The text of a module with the function of dimension j alone, called `PART`."""
        dimension = self.definitions.dimensions[j]
        self.at = dimension.place
        judging = self.judging(j, dimension)
        own = judging.judged(PART, "@part", self.opened)
        parts = [self.asking.chance(one) for one in self.layout.predictions if f" {one.function}(" in own]
        parts += [self.vector()] if dimension.learning else []
        zones = [text for _, text in sorted(self.own_zones.items())]
        return _joined([self.preamble(), *zones, self.loop(loops.slot_of), *parts, own])

    @property
    def asking(self) -> Asking:
        """The writer of what predictions need."""
        return Asking(self.layout, self.function, self.constant)

    @property
    def opened(self) -> str:
        """Source of what the function of a dimension is given."""
        zoned = any(own_zones(accumulator) for accumulator in self.layout.base)
        return f"opened{'_with_zones' if zoned else ''}(given)"

    def limits(self) -> str:
        """Constants of the kernels."""
        return LIMITS.format(
            dimensions=len(self.definitions.dimensions),
            questions=len(self.layout.predictions),
            moves=[*self.moves(), 0],
            bags=[*self.layout.bags, pool.NONE],
            segments=list(self.layout.segment),
        )

    def preamble(self) -> str:
        """Imports, constants and the jitted functions of the accumulators and of the pool."""
        text = PREAMBLE.format(
            decorators=TWIN if self.twin else COMPILED,
            runtime="".join(f"{name} = shared(runtime.{name})\n" for name in RUNTIME),
        )
        tables = [table for _, table in sorted(self.tables.items())]
        modules = sorted({path.rsplit(".", 1)[0] for path in self.used.values()} | {table.module for table in tables})
        imports = "".join(f"import {module}\n" for module in modules)
        functions = "".join(f"{name} = shared({path})\n" for name, path in sorted(self.used.items()))
        constants = "".join(f"{name} = constant({value})\n" for value, name in sorted(self.constants.items()))
        return text + imports + functions + constants + "".join(f"{t.name} = {t.source}\n" for t in tables)

    def loop(self, function: Callable[..., object]) -> str:
        """One of the loops, as it stands in its own file."""
        decorator = "kernel" if function.__name__ in KERNELS else "inlined" if function.__name__ in INLINED else "jit"
        return f"@{decorator}\n{TEXTS[function.__name__]}"

    def moves(self) -> list[int]:
        """For each event code, the bits of the dimensions whose features it feeds.

        A learned dimension is judged at every event, as when it is judged next counts from the latest one of any name;
        so is one with a comparison that is only looked at now and then, as that is judged as of the latest event.
        """
        always = self.learned() | self.looked()
        masks = [always if name != PRODUCT_UPDATED else 0 for name in self.inputs.codes]
        for j, dimension in enumerate(self.definitions.dimensions):
            for accumulator in dimension.accumulators:
                for name in accumulator.reactions():
                    masks[self.inputs.codes[name]] |= 1 << j
                if isinstance(accumulator, Bag):
                    masks[self.inputs.codes[PRODUCT_UPDATED]] |= 1 << j
        return masks

    def learned(self) -> int:
        """The bits of the learned dimensions."""
        return sum(1 << j for j, d in enumerate(self.definitions.dimensions) if d.learning)

    def looked(self) -> int:
        """The bits of the dimensions with a comparison whose moment of change cannot be worked out."""
        found = enumerate(self.definitions.dimensions)
        return sum(1 << j for j, d in found if any(True for c in d.conditions for _ in unsolved(c)))

    def writer(self, j: int, dimension: Dimension) -> Writer:
        """The writer of one dimension's conditions."""
        numbers = {d.name: i for i, d in enumerate(self.definitions.dimensions)}

        def feature(name: str) -> tuple[Accumulator, int]:
            accumulator = dimension.features[name]
            return accumulator, self.layout.base[accumulator]

        def segment(name: str) -> SegmentColumns:
            k = numbers[name]
            before = self.layout.before.get(k, -1)
            names = self.definitions.dimensions[k].segment_names
            return SegmentColumns(self.layout.segment[k], self.layout.entered[k], before, names)

        def cut(node: Cut) -> int:
            return self.shares.place(dimension, node)

        return Writer(feature, self.function, segment, text_hash, self.constant, cut, self.layout.base.__getitem__)

    def judging(self, j: int, dimension: Dimension) -> Judging:
        """The writer of one dimension's functions."""
        return Judging(j, dimension, self.layout, self.writer(j, dimension))

    def evaluate(self) -> str:
        """``evaluate``: dimensions in order, each where the event moves it, it is due, or one it depends on changed."""
        lines = [
            "@jit",
            "def evaluate(table, bags, models, i, now, cause, moves, out, n):",
            "    r = table.ints[i]",
            "    f = table.floats[i]",
            "    un = table.expiry[i]",
            "    ints = out.ints",
            "    floats = out.floats",
            "    given = pointer(Given(table.ints, table.floats, bags, models, ints, floats))",
            "    mask = moves if r[LATEST] != NEVER else -1",
            "    changed = 0",
            "    soonest = gone_at(table, r)",
            *(["    soonest = earlier(soonest, next_asked(r, now))"] if self.layout.predictions else []),
        ]
        names = {d.name: k for k, d in enumerate(self.definitions.dimensions)}
        for j, dimension in enumerate(self.definitions.dimensions):
            depends = sum(1 << names[name] for name in dimension.refers_to())
            due = f"mask & {1 << j} or un[{j}] <= now" + (f" or changed & {depends}" if depends else "")
            lines += [f"    {line}" for line in self.judging(j, dimension).turn(due)]
        lines += ["    if (cause >= 0 or changed) and now > r[LATEST]:", "        r[LATEST] = now"]
        lines += ["    table.deadline[i] = soonest", "    block = i >> BLOCK"]
        lines += ["    if soonest < table.coarse[block]:", "        table.coarse[block] = soonest", "    return n"]
        return "\n".join(lines) + "\n"

    def fold(self) -> str:
        """``fold``: for each event code, the accumulators that it feeds."""
        folds = FoldWriter(self.inputs, self.function, self.constant)
        return folds.fold(self.layout.base)

    def repeated(self) -> str:
        """``repeated``: whether the event is one that counts once, and was told before."""
        lines = ["@jit", "def repeated(code, r, ev, k):"]
        for accumulator, p in self.layout.base.items():
            if isinstance(accumulator, Told):
                key = self.inputs.key_source(accumulator.by)
                at, n = self.constant(p), self.constant(accumulator.last)
                lines.append(f"    if code == {self.inputs.codes[accumulator.of]}:  # {accumulator.of!r}")
                lines.append(f"        return {self.function(told.known)}(r, {at}, {key}, {n})")
        return "\n".join([*lines, "    return False"]) + "\n"

    def vector(self) -> str:
        """``vector``: the parts of the learned dimension's vector, as of an instant, into row n from column ``at``."""
        lines = ["@jit", "def vector(r, f, bags, models, now, into, n, at):"]
        for j, dimension in enumerate(self.definitions.dimensions):
            parts = dimension.learning.vector.values() if dimension.learning else ()
            writer = self.writer(j, dimension)
            lines += [f"    into[n, at + {k}] = {writer.number(number)}" for k, number in enumerate(parts)]
        return "\n".join(lines if len(lines) > 2 else [*lines, "    pass"]) + "\n"

    def sample(self) -> str:
        """``is_look`` and ``sample``: when the vector of the learned dimension is taken for the trainer."""
        learning = next((d.learning for d in self.definitions.dimensions if d.learning), None)
        if learning is None:
            lines = ["@jit", "def is_look(r, now):", "    return False", "", ""]
            return "\n".join([*lines, "@jit", "def sample(table, bags, models, i, now, out):", "    pass", ""])
        every, at = self.constant(learning.every), self.constant(self.layout.sampled)
        lines = ["@jit", "def is_look(r, now):", f"    return revisit(r[SEEN], now - 1, {every}) == now", "", ""]
        lines += ["@jit", "def sample(table, bags, models, i, now, out):", "    r = table.ints[i]"]
        lines += [f"    if now < r[{at}] + {every} or r[SEEN] == NEVER or now <= r[SEEN]:", "        return"]
        lines += [f"    passed = now - looked(r[SEEN], now, {every})"]
        lines += [f"    if share_of(r[CUSTOMER], drawn(now, 0)) * {float(WEIGHED * learning.every)!r} >= passed:"]
        lines += ["        return", f"    r[{at}] = now", "    touch(table, i)", "    n = table.counters[SAMPLED]"]
        lines += ["    then = now - int(share_of(r[CUSTOMER], drawn(now, 1)) * passed)"]
        lines += [f"    vector(r, table.floats[i], bags, models, then, out.vectors, n, {self.constant(0)})"]
        lines += ["    out.sampled[n, 0] = i", "    out.sampled[n, 1] = now", "    table.counters[SAMPLED] = n + 1"]
        return "\n".join(lines) + "\n"

    def measure(self) -> str:
        """``measure``: what cuts by share are taken of, for these rows as of an instant; where there is room behind it,
        the vector of the learned dimension."""
        lines = ["@kernel", "def measure(table, bags, models, rows, now, into):", "    into[:] = NAN"]
        lines += ["    for k in range(rows.shape[0]):", "        r = table.ints[rows[k]]"]
        lines += ["        f = table.floats[rows[k]]"]
        for j, dimension in enumerate(self.definitions.dimensions):
            own = [(column, m) for column, m in enumerate(self.shares.measures) if m.dimension == j]
            if own:
                lines += self.judging(j, dimension).measures(own)
        if any(dimension.learning for dimension in self.definitions.dimensions):
            behind = len(self.shares.measures)
            lines += [f"        if into.shape[1] > {behind}:"]
            lines += [f"            vector(r, f, bags, models, now, into, k, {self.constant(behind)})"]
        return "\n".join(lines) + "\n"


def _joined(parts: list[str]) -> str:
    """The text of a module."""
    return "\n\n".join(parts).replace("\n\n\n\n", "\n\n\n") + "\n"

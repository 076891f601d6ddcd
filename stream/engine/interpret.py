"""Conditions read for one customer at one instant, part by part: the values put in, and whether each part holds.

The kernels judge customers; this only explains one.  Both read values through the accumulators' own functions, and a
test holds them to the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.durations import format_duration
from stream.engine.change import shown, shown_text
from stream.engine.reading import read
from stream.engine.rows import Rows
from stream.events.text import text_hash
from stream.features.base import NO_TEXT, Kind, View
from stream.plan import header, runtime
from stream.plan.conditions import SEED
from stream.plan.definitions import Dimension
from stream.plan.header import Models
from stream.plan.motion import MotionError, crossing
from stream.plan.plan import Plan
from stream.plan.shares import Shares
from stream.plan.tree import (
    Arithmetic,
    Call,
    Compare,
    Condition,
    Cut,
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
    cuts,
    references,
)
from stream.plan.words import MISSING, amount, percent, quoted, show, tile_of

FUNCTIONS: dict[str, Callable[[float], float]] = {"abs": abs, "log1p": runtime.log1p, "sqrt": runtime.sqrt}
ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": runtime.divide,
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a == a and b == b and a != b,
}


class Part(msgspec.Struct, omit_defaults=True):
    """A condition, or a part of one, as it is for one customer.

    ``text`` is the condition as written, ``values`` the same with the values put in.  ``and``, ``or`` and ``not`` have
    ``parts`` instead, and ``all_of`` where all of them must hold.  ``missing`` names what has no value, which makes a
    comparison false; ``note`` says what else matters; ``warming`` names what began with later definitions and knows
    nothing from before, and since when it counts (ISO 8601).
    """

    text: str
    holds: bool
    values: str = ""
    parts: list[Part] = []
    all_of: bool = False
    note: str = ""
    missing: list[str] = []
    warming: dict[str, str] = {}


@dataclass(frozen=True)
class Reading:
    """The one row of a table at the instant ``now``, in the terms of one dimension.

    ``models`` are the versions in force and to come, ``shares`` gives
    the places of cuts, ``every`` says how often (ms) comparisons without a known crossing are looked at, ``warming``
    which features count only since when (ISO 8601).
    """

    rows: Rows
    dimension: Dimension
    models: Models
    now: int
    shares: Shares
    every: int | None = None
    warming: Mapping[str, str] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """The plan of the rows."""
        return self.rows.plan

    @property
    def row(self) -> NDArray[np.int64]:
        """The one row."""
        row: NDArray[np.int64] = self.rows.table.ints[0]
        return row

    # Values

    def view(self, ref: FeatureRef) -> View:
        """What reads a feature's view."""
        return self.dimension.features[ref.feature].views()[ref.view]

    def read(self, ref: FeatureRef, function: Callable[..., Any], *more: Any) -> Any:
        """A function of the accumulator, applied to the row at this instant."""
        accumulator = self.dimension.features[ref.feature]
        return read(self.rows, 0, accumulator, function, self.now, self.models, *more)

    def feature(self, ref: FeatureRef) -> Any:
        """A feature's view: a float (NaN: missing), or for a text its hash."""
        return self.read(ref, self.view(ref).value)

    def number(self, node: Number) -> float:
        """A number in the unit of its kind; NaN: missing."""
        match node:
            case Literal():
                return float(node.value)
            case FeatureRef():
                return float(self.feature(node))
            case Arithmetic():
                return ARITHMETIC[node.op](self.number(node.left), self.number(node.right))
            case Call():
                return FUNCTIONS[node.function](self.number(node.argument))
            case SegmentSince():
                return runtime.ago(int(self.row[self.plan.layout.entered[self.numbered(node.dimension)]]), self.now)
            case Cut():
                return float(self.models.cuts[self.slot, self.shares.place(self.dimension, node)])
            case ShareOf():
                return runtime.share_of(int(self.row[header.CUSTOMER]), text_hash(node.name) & SEED)

    @property
    def slot(self) -> int:
        """Which of the versions in force and to come this customer is judged by."""
        return 0 if self.row[header.VERSION] == self.models.version[0] else 1

    def numbered(self, dimension: str) -> int:
        """The number of a dimension."""
        return next(j for j, d in enumerate(self.plan.definitions.dimensions) if d.name == dimension)

    def segment(self, dimension: str, *, before: bool = False) -> str | None:
        """The segment the customer is in, in a dimension, or the one before it; None: in none."""
        j = self.numbered(dimension)
        code = int(self.row[self.plan.layout.before[j] if before else self.plan.layout.segment[j]])
        return self.rows.name(j, code)

    def shown(self, node: FeatureRef) -> Any:
        """A feature's value as JSON has it; None: missing."""
        value = self.feature(node)
        if node.kind is Kind.TEXTS:
            return None if math.isnan(value) else self.texts(node)
        return shown_text(int(value), self.rows.texts) if node.kind is Kind.TEXT else shown(value, node.kind)

    def texts(self, node: FeatureRef) -> list[str]:
        """The texts of a feature that keeps several, whose hashes are in its columns."""
        accumulator, has = self.dimension.features[node.feature], self.view(node).has
        base = self.plan.layout.base[accumulator]
        codes = [int(code) for code in self.row[base : base + len(accumulator.columns())]]
        among = [code for code in codes if has is not None and code != NO_TEXT and self.read(node, has, code)]
        return [text for code in among if (text := shown_text(code, self.rows.texts)) is not None]

    # Conditions

    def part(self, node: Condition) -> Part:
        """The condition with its values and its truth, and so each of its parts."""
        part = self.judged(node)
        if not part.parts:
            names = sorted({feature for feature, _ in references(node)})
            part.warming = {name: self.warming[name] for name in names if name in self.warming}
        return part

    def judged(self, node: Condition) -> Part:
        """The same, but for what is warming in a part that has none of its own."""
        match node:
            case Junction() if tile_of(node) is not None:
                return self.between(node)
            case Junction():
                parts = [self.part(part) for part in node.parts]
                holds = all(p.holds for p in parts) if node.op == "and" else any(p.holds for p in parts)
                return Part(show(node), holds, parts=parts, all_of=node.op == "and")
            case Not():
                part = self.part(node.part)
                return Part(show(node), not part.holds, parts=[part])
            case Compare() if self.every is not None and not solvable(node):
                return self.looked_at(node, self.every)
            case Compare():
                return self.compared(node)
            case OneOf():
                return Part(show(node), self.one_of(node), show(node, self.value_of), missing=self.lacking(node))
            case Member():
                return Part(show(node), self.member(node), show(node, self.value_of), missing=self.lacking(node))
            case Known():
                return Part(show(node), self.known(node.of), show(node, self.value_of))

    def compared(self, node: Compare) -> Part:
        """A comparison with the values of both sides."""
        a, b = self.number(node.left), self.number(node.right)
        right = self.side(node.right, b)
        if isinstance(node.left, ShareOf) and isinstance(node.right, Literal):
            right = percent(b)
        values = f"{self.side(node.left, a)} {node.op} {right}"
        return Part(show(node), COMPARE[node.op](a, b), values, missing=self.lacking(node))

    def between(self, node: Junction) -> Part:
        """A value between two cuts, such as ``quintile(spend) == 4``."""
        low, high = (self.compared(part) for part in node.parts if isinstance(part, Compare))
        x, above = low.values.split(" > ", 1)
        missing = [*low.missing, *(name for name in high.missing if name not in low.missing)]
        values = f"{above} < {x} <= {high.values.split(' <= ', 1)[1]}"
        return Part(show(node), low.holds and high.holds, values, missing=missing)

    def looked_at(self, node: Compare, every: int) -> Part:
        """A comparison without a known crossing: as it was when it was last looked at."""
        looked = replace(self, now=runtime.look(self.now, int(self.row[header.SEEN]), every), every=None)
        part = looked.compared(node)
        part.note = f"looked at every {format_duration(every)}"
        return part

    def one_of(self, node: OneOf) -> bool:
        """Whether a text, or another dimension's segment, is among some; a text that is missing never is."""
        if isinstance(node.subject, SegmentRef):
            return (self.segment(node.subject.dimension, before=node.subject.before) in node.texts) != node.negated
        code = int(self.feature(node.subject))
        return code != NO_TEXT and (code in [text_hash(text) for text in node.texts]) != node.negated

    def member(self, node: Member) -> bool:
        """Whether a text is among those of a feature that keeps several; where that is missing it never is."""
        view = self.view(node.subject)
        known = not math.isnan(self.read(node.subject, view.value))
        return (
            known
            and view.has is not None
            and bool(self.read(node.subject, view.has, text_hash(node.text))) != node.negated
        )

    def known(self, node: Number | SegmentRef) -> bool:
        """Whether there is a value."""
        match node:
            case SegmentRef():
                return self.segment(node.dimension, before=node.before) is not None
            case FeatureRef(kind=Kind.TEXT):
                return bool(self.feature(node) != NO_TEXT)
        return not math.isnan(self.number(node))

    def side(self, node: Number, value: float) -> str:
        """One side of a comparison with its values; where it was worked out, also what it comes to."""
        text = show(node, self.value_of)
        if isinstance(node, Cut):
            return f"{amount(value, node.kind)} (the {percent(node.share)} cut)"
        return (
            text
            if isinstance(node, Literal | FeatureRef | ShareOf | SegmentSince)
            else f"{text} = {amount(value, node.kind)}"
        )

    def value_of(self, node: Expression) -> str | None:
        """What stands in place of a name."""
        match node:
            case FeatureRef(kind=Kind.TEXT):
                text = self.shown(node)
                return MISSING if text is None else quoted(str(text))
            case FeatureRef(kind=Kind.TEXTS):
                texts = self.shown(node)
                return MISSING if texts is None else f"({', '.join(map(quoted, texts))})"
            case ShareOf():
                return percent(round(self.number(node), 4))
            case FeatureRef() | SegmentSince() | Cut():
                return amount(self.number(node), node.kind)
            case SegmentRef():
                segment = self.segment(node.dimension, before=node.before)
                return "none" if segment is None else quoted(segment)
        return None

    def lacking(self, node: Expression) -> list[str]:
        """The names in a comparison that have no value."""
        found = [f"{percent(cut.share)} cut" for cut in cuts(node) if math.isnan(self.number(cut))]
        for feature, view in sorted(references(node)):
            how = self.dimension.features[feature].views()[view]
            ref = FeatureRef(feature, view, how.kind, how.shape, 0)
            if self.shown(ref) is None:
                found.append(show(ref))
        return found


def solvable(node: Compare) -> bool:
    """Whether it is known when a comparison changes by itself."""
    try:
        crossing(node)
    except MotionError:
        return False
    return True

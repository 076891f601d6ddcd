"""From a typed condition to source lines that set its truth and its expiry.

Each condition becomes two variables: ``v``, whether it holds now, and ``u``, the first instant after now at which that
may differ if no event comes.  A comparison is solved by how its two sides move with time (:mod:`stream.plan.motion`):

- both constant: never;
- steps: when the next counted instant leaves its window (for ``count >= k``, the one that decides);
- a clock against what is no line: a whole number of milliseconds, worked out exactly;
- lines: the line's zero; smooth: the closed form; both then made exact to the millisecond by trying the comparison
  itself at the few instants around the estimate;
- no known form: judged as of the latest multiple of ``every``, or the latest event if that is later, until the next
  multiple.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

from stream.features.base import NO_TEXT, Accumulator, Constant, Kind, Shape
from stream.features.propensity import Propensity
from stream.plan.motion import Crossing, MotionError, Way, crossing, motion, unsolved
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
    references,
)

#: Bits of the hash of a name that a random share takes.
SEED = (1 << 32) - 1


@dataclass(frozen=True)
class SegmentColumns:
    """Where a row keeps the segment of one dimension, when it was entered, the one before; and what codes stand for."""

    now: int
    entered: int
    before: int
    names: tuple[str, ...]


@dataclass
class Writer:
    """Writes the conditions of one dimension.

    ``feature`` gives the accumulator of a feature and its first column; ``function`` the name, in the generated module,
    of an accumulator's function; ``segment`` the columns of a dimension; ``text`` the hash of a text; ``constant`` the
    source of a constant argument; ``cut`` the place of a cut among all; ``base`` the first column of what is kept
    beside features; ``every`` how often (ms) a comparison without a known crossing is looked at.
    """

    feature: Callable[[str], tuple[Accumulator, int]]
    function: Callable[[Callable[..., object]], str]
    segment: Callable[[str], SegmentColumns]
    text: Callable[[str], int]
    constant: Callable[[Constant], str]
    cut: Callable[[Cut], int]
    base: Callable[[Accumulator], int]
    every: int | None = None
    numbers: count[int] = field(default_factory=count)
    #: Values that were worked out before, as of ``now``: feature and view -> the variable that has it.
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    # Values

    def number(self, node: Number, now: str = "now") -> str:
        """Source of a number at the instant named ``now``."""
        match node:
            case Literal():
                return repr(float(node.value))
            case FeatureRef():
                return self.read(node, now)
            case Arithmetic(op="/"):
                return f"divide({self.number(node.left, now)}, {self.number(node.right, now)})"
            case Arithmetic():
                return f"({self.number(node.left, now)} {node.op} {self.number(node.right, now)})"
            case Call():
                return f"{node.function}({self.number(node.argument, now)})"
            case Cut():
                return f"models.cuts[m, {self.cut(node)}]"
            case ShareOf():
                return f"share_of(r[CUSTOMER], {self.constant(self.text(node.name) & SEED)})"
            case SegmentSince():
                return f"ago(r[{self.segment(node.dimension).entered}], {now})"

    def population(self, ref: FeatureRef) -> str:
        """Source that tells whether a predicted value says more of all customers than of this one."""
        accumulator, base = self.feature(ref.feature)
        of_population = accumulator.views()[ref.view].of_population
        if of_population is None:
            raise MotionError("a value that nobody predicted")
        return f"{self.function(of_population)}(r, f, {self.constant(base)}, now{self.rest(accumulator)})"

    def read(self, ref: FeatureRef, now: str) -> str:
        """Source that reads a feature's view."""
        if now == "now" and (ref.feature, ref.view) in self.known:
            return self.known[ref.feature, ref.view]
        accumulator, base = self.feature(ref.feature)
        if isinstance(accumulator, Propensity):
            return f"{accumulator.function}(r, f, bags, models, {now})"
        view = accumulator.views()[ref.view]
        return f"{self.function(view.value)}(r, f, {self.constant(base)}, {now}{self.rest(accumulator)})"

    def rest(self, accumulator: Accumulator) -> str:
        """The arguments after the fixed ones."""
        return rest(accumulator, self.base, self.constant)

    def truth(self, node: Condition, now: str = "now") -> str:
        """Source of whether a condition holds at an instant, without its expiry."""
        match node:
            case Compare(op="!="):
                return f"differ({self.number(node.left, now)}, {self.number(node.right, now)})"
            case Compare():
                return f"({self.number(node.left, now)} {node.op} {self.number(node.right, now)})"
            case OneOf():
                return self.one_of(node, now)
            case Member():
                return self.member(node, now)
            case Known(of=SegmentRef() as of):
                return f"({self.code(of)} >= 0)"
            case Known(of=FeatureRef(kind=Kind.TEXT) as of):
                return f"({self.read(of, now)} != {NO_TEXT})"
            case Known():
                return f"present({self.number(node.of, now)})"  # type: ignore[arg-type]
            case Not():
                return f"(not {self.truth(node.part, now)})"
            case Junction():
                return "(" + f" {node.op} ".join(self.truth(part, now) for part in node.parts) + ")"

    def code(self, ref: SegmentRef) -> str:
        """Source of the code of a segment."""
        columns = self.segment(ref.dimension)
        return f"r[{columns.before if ref.before else columns.now}]"

    def one_of(self, node: OneOf, now: str) -> str:
        """A text, or another dimension's segment, among some."""
        if isinstance(node.subject, SegmentRef):
            names = self.segment(node.subject.dimension).names
            subject, codes = self.code(node.subject), [names.index(text) for text in node.texts]
            missing = ""
        else:
            subject, codes = self.read(node.subject, now), [self.text(text) for text in node.texts]
            missing = f"{subject} != {NO_TEXT} and "
        if node.negated:
            return f"({missing}{' and '.join(f'{subject} != {code}' for code in codes)})"
        return f"({' or '.join(f'{subject} == {code}' for code in codes)})"

    def member(self, node: Member, now: str) -> str:
        """A text among those that a feature keeps; nothing is known to be absent from what is missing."""
        accumulator, base = self.feature(node.subject.feature)
        has = accumulator.views()[node.subject.view].has
        if has is None:
            raise MotionError("a list of texts that cannot be searched")
        text = self.constant(self.text(node.text))
        found = f"{self.function(has)}(r, f, {self.constant(base)}, {now}, {text}{self.rest(accumulator)})"
        return f"(present({self.read(node.subject, now)}) and not {found})" if node.negated else found

    # Expiries

    def until(self, node: Number, k: str = "NAN") -> list[str]:
        """Sources of the first instants at which the features in a number step (past ``k``)."""
        found = []
        for name, view in sorted(references(node)):
            accumulator, base = self.feature(name)
            how = accumulator.views()[view]
            if how.shape is Shape.STEPS and how.until is not None:
                at = self.constant(base)
                found.append(f"{self.function(how.until)}(r, f, {at}, now, {k}{self.rest(accumulator)})")
        return found

    def next_step(self, *nodes: Expression) -> str:
        """Source of the first instant at which any feature in these steps."""
        return least([code for node in nodes if not isinstance(node, SegmentRef) for code in self.until(node)])  # type: ignore[arg-type]

    def condition(self, node: Condition, indent: str) -> tuple[list[str], str, str]:
        """Lines that set a truth and an expiry, and the names of the two variables."""
        i = next(self.numbers)
        v, u = f"v{i}", f"u{i}"
        match node:
            case Compare():
                return self.comparison(node, v, u, indent), v, u
            case Junction():
                return self.junction(node, v, u, indent), v, u
            case Not():
                lines, a, b = self.condition(node.part, indent)
                return [*lines, f"{indent}{v} = not {a}", f"{indent}{u} = {b}"], v, u
            case OneOf() | Member():
                step = self.next_step(node.subject)
            case Known() if any(unsolved(node)):
                return self.looking(node, v, u, indent), v, u
            case Known():
                step = self.next_step(node.of)
        return [f"{indent}{v} = {self.truth(node)}", f"{indent}{u} = {step}"], v, u

    def junction(self, node: Junction, v: str, u: str, indent: str) -> list[str]:
        """Parts are judged until one decides; then only that one's expiry matters, else the least of all."""
        decides = "not " if node.op == "and" else ""
        keeps = "" if node.op == "and" else "not "
        lines = [f"{indent}{v} = {node.op == 'and'}", f"{indent}{u} = FOREVER"]
        for k, part in enumerate(node.parts):
            inner = indent if k == 0 else indent + "    "
            if k:
                lines.append(f"{indent}if {keeps}{v}:")
            part_lines, a, b = self.condition(part, inner)
            lines += part_lines
            lines += [
                f"{inner}if {decides}{a}:",
                f"{inner}    {v} = {a}",
                f"{inner}    {u} = {b}",
                f"{inner}elif {b} < {u}:",
                f"{inner}    {u} = {b}",
            ]
        return lines

    def comparison(self, node: Compare, v: str, u: str, indent: str) -> list[str]:
        """A comparison; what is missing (NaN) makes it false."""
        try:
            solved = crossing(node)
        except MotionError:
            return self.looking(node, v, u, indent)
        node = solved.compare
        if solved.way is Way.CLOCK:
            lines = self.clock(solved, v, u)
        elif self.is_dear(node.left) and node.op in MIRRORED:
            lines = self.falling(node, v, u)
        elif solved.way is Way.STEPS:
            lines = [f"{v} = {self.truth(node)}", f"{u} = {self.step(solved)}"]
        else:
            estimate = self.smooth_estimate(node) if solved.way is Way.SMOOTH else self.zero(solved)
            lines = self.refined(node, v, u, estimate)
        if solved.way in (Way.CLOCK, Way.LINES) and (solved.left.steps or solved.right.steps):
            lines.append(f"{u} = earlier({u}, {self.step(solved)})")
        return [indent + line for line in lines]

    def looking(self, node: Condition, v: str, u: str, indent: str) -> list[str]:
        """What has no known moment of change, looked at now and then."""
        if self.every is None:
            raise MotionError("what is only looked at now and then, without 'every'")
        every = self.constant(self.every)
        lines = [f"y = look(now, r[SEEN], {every})", f"{v} = {self.truth(node, 'y')}"]
        return [indent + line for line in [*lines, f"{u} = next_look(now, {every})"]]

    def clock(self, solved: Crossing, v: str, u: str) -> list[str]:
        """A side that grows by one a millisecond, so that it meets the other at a whole number of them."""
        node = solved.compare
        a, b = f"a{v[1:]}", f"b{v[1:]}"
        lines = [f"{a} = {self.number(node.left)}", f"{b} = {self.number(node.right)}"]
        test = f"differ({a}, {b})" if node.op == "!=" else f"{a} {node.op} {b}"
        if node.op in ("==", "!="):
            return [*lines, f"{v} = {test}", f"{u} = meets({a}, {b}, now)"]
        level = b if node.op in (">=", "<") else f"above({b})"
        return [*lines, f"{v} = {test}", f"{u} = reaches({a}, {level}, now)"]

    def step(self, solved: Crossing) -> str:
        """For one counted feature against what stands still: the instant that decides; else the next step of any."""
        node = solved.compare
        if isinstance(node.left, FeatureRef) and solved.left.steps and solved.right.still and node.op in MIRRORED:
            k = self.number(node.right)
            return least(self.until(node.left, k if node.op in (">=", "<") else f"above({k})"))
        sides = ((node.left, solved.left), (node.right, solved.right))
        return self.next_step(*(side for side, moves in sides if moves.steps))

    def zero(self, solved: Crossing) -> str:
        """About when two lines meet."""
        node = solved.compare
        slopes = [self.number(m.slope) if m.slope else "0.0" for m in (solved.left, solved.right)]
        distance = f"{self.number(node.left)} - {self.number(node.right)}"
        return f"zero({distance}, {slopes[0]} - {slopes[1]}, now)"

    def smooth_estimate(self, node: Compare) -> str:
        """The closed form of where the smooth feature reaches the threshold, its scale divided out."""
        threshold = self.number(node.right)
        side = node.left
        while isinstance(side, Arithmetic):
            if side.op == "/":
                threshold, side = f"({threshold} * {self.number(side.right)})", side.left
            elif motion(side.left).smooth:
                threshold, side = f"divide({threshold}, {self.number(side.right)})", side.left
            else:
                threshold, side = f"divide({threshold}, {self.number(side.left)})", side.right
        if not isinstance(side, FeatureRef):
            raise MotionError("a decaying rate inside a function")
        accumulator, base = self.feature(side.feature)
        until = accumulator.views()[side.view].until
        if until is None:
            raise MotionError("a value without a closed form")
        at = self.constant(base)
        return f"{self.function(until)}(r, f, {at}, now, {threshold}{self.rest(accumulator)})"

    def is_dear(self, node: Expression) -> bool:
        """Whether a feature's value takes long to work out, and an instant before it crosses a threshold does not."""
        if not isinstance(node, FeatureRef):
            return False
        return self.feature(node.feature)[0].views()[node.view].near is not None

    def keep(self, conditions: Iterable[Condition]) -> list[str]:
        """Lines that work out once, as of now, what is dear in these conditions, and is read in any of them."""
        found = sorted({pair for condition in conditions for pair in references(condition)})
        lines = []
        for name, view in found:
            how = self.feature(name)[0].views()[view]
            ref = FeatureRef(name, view, how.kind, how.shape, 0)
            if self.is_dear(ref):
                variable = f"k{len(self.known)}"
                lines.append(f"    {variable} = {self.read(ref, 'now')}")
                self.known[name, view] = variable
        return lines

    def falling(self, node: Compare, v: str, u: str) -> list[str]:
        """A dear value that only falls until the next event: the comparison is looked at again at an instant before
        which it surely stays, which is that of its change once that is close."""
        if not isinstance(node.left, FeatureRef):
            raise MotionError("a value that is no feature")
        accumulator, base = self.feature(node.left.feature)
        near = accumulator.views()[node.left.view].near
        if near is None:
            raise MotionError("a value without a bound")
        x, k = self.number(node.left), self.number(node.right)
        least, at = (k if node.op in (">=", "<") else f"above({k})"), self.constant(base)
        return [
            f"{v} = {self.truth(node)}",
            f"{u} = FOREVER",
            f"if {x} >= {least}:",
            f"    {u} = {self.function(near)}(r, f, {at}, now, {least}, {x}{self.rest(accumulator)})",
        ]

    def refined(self, node: Compare, v: str, u: str, estimate: str) -> list[str]:
        """The first instant near the estimate, after now, at which the comparison itself differs."""
        x = f"x{u[1:]}"
        return [
            f"{v} = {self.truth(node)}",
            f"{u} = FOREVER",
            f"{x} = {estimate}",
            f"if {x} < FOREVER:",
            f"    for y in range(later({x} - 2, now + 1), {x} + 3):",
            f"        if {self.truth(node, 'y')} != {v}:",
            f"            {u} = y",
            "            break",
        ]


def rest(accumulator: Accumulator, base: Callable[[Accumulator], int], constant: Callable[[Constant], str]) -> str:
    """What functions of a feature take after the fixed arguments: constants, behind the book it goes by; or the pool of
    bags."""
    if accumulator.word == "bag":
        return ", bags"
    book = accumulator.book()
    found = accumulator.constants() if book is None else (base(book), *accumulator.constants())
    return "".join(f", {constant(c)}" for c in found)


#: Comparisons that hold on one side of a threshold.
MIRRORED = (">=", ">", "<=", "<")


def least(codes: list[str]) -> str:
    """Source of the least of some instants."""
    found = codes[0] if codes else "FOREVER"
    for other in codes[1:]:
        found = f"earlier({found}, {other})"
    return found

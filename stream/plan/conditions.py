"""From a typed condition to source lines that set its truth and its expiry.

Each condition becomes two variables: ``v``, whether it holds now, and ``u``, the first instant after now at which that
may differ if no event comes.  A comparison is solved by how its two sides move with time:

- both constant: never;
- steps: when the next counted instant leaves its window (for ``count >= k``, the one that decides);
- linear: the line's zero; smooth: the closed form; both then made exact to the millisecond by trying the comparison
  itself at the few instants around the estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from stream.features.base import Accumulator, Constant, Shape
from stream.plan.tree import (
    Arithmetic,
    Call,
    Compare,
    Condition,
    FeatureRef,
    Junction,
    Literal,
    Not,
    Number,
    OneOf,
    SegmentRef,
    references,
)

MIRROR = {">=": "<=", ">": "<", "<=": ">=", "<": ">", "==": "==", "!=": "!="}


class MotionError(Exception):
    """A comparison whose crossing has no known form."""


@dataclass(frozen=True)
class Motion:
    """How a number moves: its slope (source text, milliseconds), whether it also steps, and its smooth part."""

    slope: str | None = None
    steps: bool = False
    smooth: FeatureRef | None = None

    @property
    def still(self) -> bool:
        """Whether only events change it."""
        return self.slope is None and not self.steps and self.smooth is None


@dataclass
class Writer:
    """Writes the functions of one dimension.

    ``feature`` gives the accumulator of a feature and its first column; ``function`` the name, in the generated module,
    of an accumulator's function; ``segment`` the column and the segments of a dimension; ``text`` the hash of a text;
    ``constant`` the source of a constant argument.
    """

    prefix: str
    feature: Callable[[str], tuple[Accumulator, int]]
    function: Callable[[Callable[..., object]], str]
    segment: Callable[[str], tuple[int, tuple[str, ...]]]
    text: Callable[[str], int]
    constant: Callable[[Constant], str]
    helpers: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    # Numbers

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
        raise MotionError(f"{type(node).__name__}, which has no code yet")

    def read(self, ref: FeatureRef, now: str) -> str:
        """Source that reads a feature's view."""
        accumulator, base = self.feature(ref.feature)
        view = accumulator.views()[ref.view]
        return f"{self.function(view.value)}(r, f, {self.constant(base)}, {now}{self.rest(accumulator)})"

    def rest(self, accumulator: Accumulator) -> str:
        """The arguments after the fixed ones: constants, or the pool of bags."""
        if accumulator.word == "bag":
            return ", bags"
        return "".join(f", {self.constant(c)}" for c in accumulator.constants())

    def motion(self, node: Number) -> Motion:
        """How a number moves with time; raises :class:`MotionError` where that has no known form."""
        match node:
            case Literal():
                return Motion()
            case FeatureRef():
                return {
                    Shape.CONSTANT: Motion(),
                    Shape.LINEAR: Motion(slope="1.0"),
                    Shape.STEPS: Motion(steps=True),
                    Shape.SMOOTH: Motion(smooth=node),
                }[node.shape]
            case Call():
                inner = self.motion(node.argument)
                if inner.slope is not None or inner.smooth is not None:
                    raise MotionError(f"{node.function}() of something that moves with time")
                return inner
            case Arithmetic():
                return self.combined(node, self.motion(node.left), self.motion(node.right))
        return Motion()

    def combined(self, node: Arithmetic, a: Motion, b: Motion) -> Motion:
        """How ``left op right`` moves."""
        steps = a.steps or b.steps
        if a.smooth or b.smooth:
            return self.combined_smooth(node, a, b)
        if node.op in "+-":
            if a.slope is None and b.slope is None:
                return Motion(steps=steps)
            return Motion(f"({a.slope or '0.0'} {node.op} {b.slope or '0.0'})", steps)
        if node.op == "*" and (a.slope is None or b.slope is None):
            slope = f"({a.slope} * {self.number(node.right)})" if a.slope else None
            slope = f"({b.slope} * {self.number(node.left)})" if b.slope else slope
            return Motion(slope, steps)
        if node.op == "/" and b.slope is None:
            return Motion(f"divide({a.slope}, {self.number(node.right)})" if a.slope else None, steps)
        raise MotionError("a product or quotient of two values that both move with time")

    def combined_smooth(self, node: Arithmetic, a: Motion, b: Motion) -> Motion:
        """A smooth value may be scaled by what stands still; everything else has no closed form."""
        if node.op == "*" and a.smooth and b.still:
            return a
        if node.op == "*" and b.smooth and a.still:
            return b
        if node.op == "/" and a.smooth and b.still:
            return a
        raise MotionError("a decaying rate in a sum, or two of them")

    def next_step(self, node: Number, k: str = "NAN") -> str:
        """Source of the first instant at which a feature in a number steps."""
        found = []
        for name, view in sorted(references(node)):
            accumulator, base = self.feature(name)
            until = accumulator.views()[view].until
            if accumulator.views()[view].shape is Shape.STEPS and until is not None:
                at = self.constant(base)
                found.append(f"{self.function(until)}(r, f, {at}, now, {k}{self.rest(accumulator)})")
        code = found[0]
        for other in found[1:]:
            code = f"min({code}, {other})"
        return code

    # Conditions

    def condition(self, node: Condition, indent: str) -> tuple[list[str], str, str]:
        """Lines that set a truth and an expiry, and the names of the two variables."""
        i = next(self.numbers)
        v, u = f"v{i}", f"u{i}"
        match node:
            case Compare():
                return self.comparison(node, v, u, indent), v, u
            case OneOf():
                return [f"{indent}{v} = {self.one_of(node)}", f"{indent}{u} = FOREVER"], v, u
            case Not():
                lines, a, b = self.condition(node.part, indent)
                return [*lines, f"{indent}{v} = not {a}", f"{indent}{u} = {b}"], v, u
            case Junction():
                return self.junction(node, v, u, indent), v, u
        raise MotionError(f"{type(node).__name__}, which has no code yet")

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
                f"{inner}else:",
                f"{inner}    {u} = min({u}, {b})",
            ]
        return lines

    def one_of(self, node: OneOf) -> str:
        """A text, or another dimension's segment, among some."""
        if isinstance(node.subject, SegmentRef):
            column, names = self.segment(node.subject.dimension)
            codes = [names.index(text) for text in node.texts]
            tests = [f"r[{column}] == {code}" for code in codes]
            found = f"({' or '.join(tests)})"
            return f"not {found}" if node.negated else found
        subject = self.read(node.subject, "now")
        hashes = [f"{subject} == {self.text(text)}" for text in node.texts]
        found = f"({' or '.join(hashes)})"
        return f"({subject} != NO_TEXT and not {found})" if node.negated else found

    def comparison(self, node: Compare, v: str, u: str, indent: str) -> list[str]:
        """A comparison; what is missing (NaN) makes it false."""
        left, right = self.motion(node.left), self.motion(node.right)
        if right.smooth or (isinstance(node.right, FeatureRef) and node.right.shape is Shape.STEPS):
            if left.smooth:
                raise MotionError("two values that decay")
            node = Compare(MIRROR[node.op], node.right, node.left, node.at)
            left, right = right, left
        if left.slope is None and right.slope is None and not left.smooth:
            return self.stepping(node, left, right, v, u, indent)
        test = self.test_function(node)
        lines = [f"{indent}{v} = {test}(r, f, bags, now)", f"{indent}{u} = FOREVER"]
        if left.smooth:
            if not right.still:
                raise MotionError("a decaying rate compared with something that moves with time too")
            return lines + self.refined(test, v, u, self.smooth_estimate(node), indent)
        slope = f"({left.slope or '0.0'} - {right.slope or '0.0'})"
        distance = f"({self.number(node.left)} - {self.number(node.right)})"
        lines += self.refined(test, v, u, f"zero({distance}, {slope}, now)", indent)
        if left.steps or right.steps:
            lines.append(f"{indent}{u} = min({u}, {self.step_expiry(node, left, right)})")
        return lines

    def stepping(self, node: Compare, left: Motion, right: Motion, v: str, u: str, indent: str) -> list[str]:
        """A comparison whose sides only change with events, or at known instants."""
        a, b = f"a{v[1:]}", f"b{v[1:]}"
        expiry = self.step_expiry(node, left, right) if left.steps or right.steps else "FOREVER"
        return [
            f"{indent}{a} = {self.number(node.left)}",
            f"{indent}{b} = {self.number(node.right)}",
            f"{indent}{v} = {self.test(node.op, a, b)}",
            f"{indent}{u} = {expiry}",
        ]

    @staticmethod
    def test(op: str, a: str, b: str) -> str:
        """The comparison of two names; false where one is missing."""
        return f"{a} {op} {b}" if op != "!=" else f"{a} != {b} and {a} == {a} and {b} == {b}"

    def step_expiry(self, node: Compare, left: Motion, right: Motion) -> str:
        """For one counted feature against what stands still: the instant that decides; else the next step of any."""
        if isinstance(node.left, FeatureRef) and right.still and node.op not in ("==", "!="):
            k = self.number(node.right)
            whole = k if node.op in (">=", "<") else f"above({k})"
            return self.next_step(node.left, whole)
        sides = [side for side, motion in ((node.left, left), (node.right, right)) if motion.steps]
        codes = [self.next_step(side) for side in sides]
        return codes[0] if len(codes) == 1 else f"min({codes[0]}, {codes[1]})"

    def smooth_estimate(self, node: Compare) -> str:
        """The closed form of where the smooth feature reaches the threshold, its scale divided out."""
        threshold = self.number(node.right)
        side = node.left
        while isinstance(side, Arithmetic):
            if side.op == "/":
                threshold, side = f"({threshold} * {self.number(side.right)})", side.left
            elif self.motion(side.left).smooth:
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

    def refined(self, test: str, v: str, u: str, estimate: str, indent: str) -> list[str]:
        """The first instant near the estimate, after now, at which the comparison itself differs."""
        x = f"x{u[1:]}"
        return [
            f"{indent}{x} = {estimate}",
            f"{indent}if {x} < FOREVER:",
            f"{indent}    for y in range(max({x} - 2, now + 1), {x} + 3):",
            f"{indent}        if {test}(r, f, bags, y) != {v}:",
            f"{indent}            {u} = y",
            f"{indent}            break",
        ]

    def test_function(self, node: Compare) -> str:
        """A function of the comparison alone, so that it can be tried at other instants."""
        name = f"{self.prefix}_test_{next(self.numbers)}"
        left, right = self.number(node.left), self.number(node.right)
        body = self.test(node.op, "a", "b")
        self.helpers.append(f"@jit\ndef {name}(r, f, bags, now):\n    a = {left}\n    b = {right}\n    return {body}\n")
        return name

"""The generated functions of one dimension: which segment holds and until when, its evidence, what it measures."""

from __future__ import annotations

from dataclasses import dataclass

from stream.features.base import Kind
from stream.features.propensity import Propensity
from stream.plan import header
from stream.plan.conditions import Writer
from stream.plan.definitions import Dimension, Segment
from stream.plan.layout import Layout
from stream.plan.shares import Measure
from stream.plan.tree import Condition, FeatureRef, Junction, Not, cuts, references

#: The slot of the versions that a row is judged by.
SLOT = "    m = 0 if r[VERSION] == models.version[0] else 1"


@dataclass
class Judging:
    """Writes the functions of dimension number ``j``."""

    j: int
    dimension: Dimension
    layout: Layout
    writer: Writer

    def call(self, what: str) -> str:
        """Source of a call of the dimension's function."""
        return f"dim_{self.j}({what}, given, i, now, n)"

    def judged(self, name: str, decorator: str, opened: str) -> str:
        """The function: asked to JUDGE row i it returns (segment, until), asked to TELL it writes what goes with change
        n; ``opened``: the source of what is given."""
        dimension, j = self.dimension, self.j
        lines = [decorator, f"def {name}(what, given, i, now, n):  # {dimension.name!r}"]
        lines += [f"    rows, reals, bags, models, ints, floats = {opened}", "    r = rows[i]", "    f = reals[i]"]
        lines += ["    if what == TELL:", *(f"        {line}" for line in self.told()), "        return 0, 0"]
        lines += [f"    g = r[{self.layout.segment[j]}]", f"    e = r[{self.layout.entered[j]}]"]
        if dimension.learning:
            return "\n".join([*lines, *self.nearest()]) + "\n"
        lines += self.stays()
        if any(cuts(condition) for condition in dimension.conditions):
            lines.append(SLOT)
        lines += self.writer.keep(dimension.conditions)
        lines.append("    u = FOREVER")
        for code, segment in enumerate(dimension.segments):
            lines += self.segment(code, segment)
        last = len(dimension.segments) if dimension.otherwise is not None else -1
        return "\n".join([*lines, f"    return {last}, u"]) + "\n"

    def stays(self) -> list[str]:
        """Lines that keep a customer where they are until the least stay there has passed."""
        names, lines = self.dimension.segment_names, []
        stays = [self.dimension.stay] * len(names)
        for code, segment in enumerate(self.dimension.segments):
            stays[code] = segment.stay
        known = {stay for stay in stays if stay is not None}
        for stay in sorted(known):
            codes = [code for code, own in enumerate(stays) if own == stay]
            of = f"0 <= g < {len(names)}" if len(codes) == len(names) else " or ".join(f"g == {c}" for c in codes)
            lines += [f"    if ({of}) and now < e + {stay}:", f"        return g, e + {stay}"]
        return lines

    def segment(self, code: int, segment: Segment) -> list[str]:
        """Lines that return the segment's code where it holds, and lower ``u`` to when that may differ."""
        self.writer.every = segment.every
        lines = [f"    # {segment.name!r}"]
        if not remembers(segment):
            body, v, u = self.writer.condition(segment.when, "    ")
            return [*lines, *body, f"    if {u} < u:", f"        u = {u}", f"    if {v}:", f"        return {code}, u"]
        lines.append(f"    if g == {code}:")
        body, v, u = self.writer.condition(segment.leave or segment.when, "        ")
        lines += [*body, f"        h = {'not ' if segment.leave else ''}{v}", f"        w = {u}"]
        if segment.lasts is not None:
            lines += [f"        if now >= e + {segment.lasts}:", "            h = False"]
            lines += ["        elif h:", f"            w = earlier(w, e + {segment.lasts})"]
        if segment.cooldown is not None:
            back = f"r[{self.layout.left[self.j, code]}] + {segment.cooldown}"
            lines += [f"    elif now < {back}:", "        h = False", f"        w = {back}"]
        names = self.dimension.segment_names
        allowed = " or ".join(f"g == {names.index(name)}" for name in segment.came_from) or "True"
        lines.append(f"    elif {allowed}:")
        body, v, u = self.writer.condition(entering(segment), "        ")
        lines += [*body, f"        h = {v}", f"        w = {u}"]
        lines += ["    else:", "        h = False", "        w = FOREVER"]
        return [*lines, "    if w < u:", "        u = w", "    if h:", f"        return {code}, u"]

    def nearest(self) -> list[str]:
        """The body for a learned dimension: the nearest centroid of the model that this customer is judged by.

        Who is in a cluster that is still there leaves it only for one that is nearer by the margin, and not before the
        least stay has passed.
        """
        learning = self.dimension.learning
        if learning is None:
            return []
        lines = [SLOT]
        for i, number in enumerate(learning.vector.values()):
            x = self.writer.number(number)
            lines.append(f"    x{i} = standard({x}, models.mean[m, {i}], models.scale[m, {i}])")
        terms = " + ".join(f"square(x{i} - models.centroids[m, c, {i}])" for i in range(len(learning.vector)))
        lines += ["    best = -1", "    least = math.inf", "    held = NAN", "    for c in range(models.clusters[m]):"]
        lines += [f"        d = {terms}", "        if c == g:", "            held = d"]
        lines += ["        if d < least:", "            best = c", "            least = d"]
        lines.append(f"    u = revisit(r[SEEN], now, {learning.every})")
        nearer = f"    if held == held and not least < {(1.0 - learning.margin) ** 2!r} * held:"
        lines += [nearer, "        best = g"]
        if self.dimension.stay is not None:
            until = f"e + {self.dimension.stay}"
            lines += [f"    if g >= 0 and now < {until}:", f"        u = earlier(u, {until})"]
            lines += ["        if held == held:", "            best = g"]
        return [*lines, "    return best, u"]

    def turn(self, due: str) -> list[str]:
        """The dimension's lines in ``evaluate``: where it is ``due``, it is judged, and a change is written down with
        the values of the features that it used."""
        j, column = self.j, self.layout.segment[self.j]
        lines = [f"if {due}:  # {self.dimension.name!r}", f"    s, u = {self.call('JUDGE')}"]
        if self.dimension.learning:  # when it is judged next does not depend on where the customer is
            lines.append(f"    if s != r[{column}] and cause != REARM:")
        else:
            lines += [f"    if s != r[{column}] and cause == REARM:", "        u = now + 1"]
            lines.append(f"    elif s != r[{column}]:")
        lines += [f"        {line}" for line in self.record()]
        if stateful(self.dimension):  # its own segment is part of its conditions: look again from inside the new one
            lines += [f"        again, u = {self.call('JUDGE')}", "        if again != s:", "            u = now + 1"]
        return [*lines, f"    un[{j}] = u", f"if un[{j}] < soonest:", f"    soonest = un[{j}]"]

    def record(self) -> list[str]:
        """Lines that write change ``n`` of row ``i`` to segment ``s``, and what goes with it."""
        j, column = self.j, self.layout.segment[self.j]
        number, at = self.writer.constant(j), self.writer.constant(column)
        lines = [f"change(r, i, {number}, {at}, s, now, cause, ints, n)", self.call("TELL")]
        for (dimension, code), left in sorted(self.layout.left.items()):
            if dimension == j:
                lines += [f"if s == {code}:", f"    ints[n, {header.AWAY}] = r[{left}]"]
                lines += [f"if r[{column}] == {code}:", f"    r[{left}] = now"]
        if j in self.layout.before:
            lines.append(f"r[{self.layout.before[j]}] = r[{column}]")
        lines += [f"r[{column}] = s", f"r[{self.layout.entered[j]}] = now"]
        return [*lines, "n += 1", f"changed |= {1 << j}"]

    def told(self) -> list[str]:
        """Lines that write what goes with change ``n``: the values of the features that the dimension used, and more of
        what is learned."""
        lines = []
        for k, ref in enumerate(evidence(self.dimension)):
            into = "ints" if ref.kind is Kind.TEXT else "floats"
            lines.append(f"{into}[n, {header.EVIDENCE + k}] = {self.writer.read(ref, 'now')}")
        if self.dimension.learning:  # by which version, and the vector
            behind = header.EVIDENCE + len(evidence(self.dimension))
            lines.append(f"ints[n, {behind}] = 0 if r[VERSION] == models.version[0] else 1")
            lines.append(f"vector(r, f, bags, models, now, floats, n, {self.writer.constant(behind + 1)})")
        asked = of_population(self.dimension)
        if asked:
            lines.append(
                f"ints[n, {told_at(self.dimension)}] = 1 if {' or '.join(map(self.writer.population, asked))} else 0"
            )
        return lines

    def measures(self, measures: list[tuple[int, Measure]]) -> list[str]:
        """Lines that write these measures of a row into their columns of ``into``; NaN for whom they do not count."""
        among = next((measure.among for _, measure in measures), None)
        lines = [f"        if {self.writer.truth(among) if among else 'True'}:  # {self.dimension.name!r}"]
        lines += [f"            into[k, {column}] = {self.writer.number(measure.of)}" for column, measure in measures]
        return lines


def told_at(dimension: Dimension) -> int:
    """The column of a change behind its evidence, and behind what is told of clusters: whether a prediction in it says
    more of all customers than of this one."""
    learning = dimension.learning
    return header.EVIDENCE + len(evidence(dimension)) + (1 + len(learning.vector) if learning else 0)


def of_population(dimension: Dimension) -> list[FeatureRef]:
    """The features that decide the dimension and are predicted, of which that can be asked."""
    views = ((ref, dimension.features[ref.feature].views()[ref.view]) for ref in evidence(dimension))
    return [ref for ref, view in views if view.of_population is not None]


def remembers(segment: Segment) -> bool:
    """Whether it matters for the segment who is in it already, or was."""
    return bool(segment.came_from or segment.leave or segment.lasts is not None or segment.cooldown is not None)


def stateful(dimension: Dimension) -> bool:
    """Whether the segment a customer is in is part of what decides the next one."""
    return dimension.stay is not None or any(s.stay is not None or remembers(s) for s in dimension.segments)


def entering(segment: Segment) -> Condition:
    """When a customer enters: nobody does while ``leave`` holds, else they would be out and in again for ever."""
    if segment.leave is None:
        return segment.when
    return Junction("and", (segment.when, Not(segment.leave, 0)), 0)


def evidence(dimension: Dimension) -> list[FeatureRef]:
    """The features that decide the dimension, and what predictions are learned from; in the order of their names."""
    used: set[tuple[str, str]] = set()
    for expression in [*dimension.conditions, *(dimension.learning.vector.values() if dimension.learning else ())]:
        used |= references(expression)
    for feature in [dimension.features[name] for name, _ in used]:
        if isinstance(feature, Propensity):
            used |= {(name, view) for name, _, view in (part.partition(".") for part in feature.parts)}
    found = []
    for name, view in sorted(used):
        shown = dimension.features[name].views()[view]
        found.append(FeatureRef(name, view, shown.kind, shown.shape, 0))
    return found

"""Definitions: the YAML files of config/segments as checked, typed objects.  One dimension a file.

A dimension declares the features it needs and its segments in order of priority; a customer is in the first segment
whose condition holds, else in ``otherwise``, else in none.
"""

from __future__ import annotations

import hashlib
import json
import keyword
import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from stream.features.base import Accumulator, Kind, Shape
from stream.plan import tree
from stream.plan.document import Mapping, Value, parse_document
from stream.plan.expressions import ExpressionError, parse_condition, parse_number
from stream.plan.features import parse_feature
from stream.plan.problems import Place, Problems, suggest

#: What Kafka allows as the name of a topic.
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
#: Words with a meaning of their own, in conditions or in the evidence of a change.
RESERVED = ("event", "segment")


@dataclass(frozen=True)
class Segment:
    """One segment: when it holds, and what becomes of a change into it.

    ``when`` is also the condition to stay, unless ``leave`` says when to go; ``came_from`` restricts who may enter;
    ``lasts`` ends it after that many milliseconds; ``topic`` is a further topic for changes into it.
    """

    name: str
    when: tree.Condition
    leave: tree.Condition | None = None
    came_from: tuple[str, ...] = ()
    lasts: int | None = None
    topic: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Learning:
    """A dimension whose segments are learned: clusters of a vector of features."""

    clusters: int
    vector: MappingOf[str, tree.Number]
    every: int


@dataclass(frozen=True)
class Dimension:
    """A way of dividing customers.  ``fingerprint`` is the hash of its canonical form (design: definition)."""

    name: str
    description: str
    owner: str
    features: MappingOf[str, Accumulator]
    segments: tuple[Segment, ...]
    otherwise: str | None
    learning: Learning | None
    fingerprint: str
    place: Place

    @property
    def version(self) -> str:
        """``name@hash``, as every change names it."""
        return f"{self.name}@{self.fingerprint}"

    @property
    def segment_names(self) -> tuple[str, ...]:
        """All segments, in the order of their codes in a row."""
        if self.learning:
            return tuple(f"cluster-{i}" for i in range(self.learning.clusters))
        names = tuple(segment.name for segment in self.segments)
        return names if self.otherwise is None else (*names, self.otherwise)

    def refers_to(self) -> set[str]:
        """The dimensions whose segments its conditions speak of."""
        conditions = [c for s in self.segments for c in (s.when, s.leave) if c is not None]
        return set().union(*(tree.dimensions(c) for c in conditions)) if conditions else set()


@dataclass(frozen=True)
class Definitions:
    """All dimensions, in the order in which they are evaluated: what others depend on first, then by name."""

    dimensions: tuple[Dimension, ...]

    def topics(self) -> tuple[str, ...]:
        """The further output topics that segments name, sorted."""
        return tuple(sorted({s.topic for d in self.dimensions for s in d.segments if s.topic}))


@dataclass
class _Draft:
    """A dimension's file, read as far as possible without knowing the other files."""

    name: str
    root: Mapping
    rules: list[Mapping]
    features: dict[str, Accumulator] = field(default_factory=dict)
    segments: tuple[str, ...] = ()


def parse_definitions(files: MappingOf[str, str]) -> Definitions:
    """Definitions from file name -> text; raises :class:`DefinitionError` with every mistake of every file."""
    problems = Problems()
    drafts: dict[str, _Draft] = {}
    for file, text in sorted(files.items()):
        root = parse_document(text, file, problems)
        draft = _draft(root) if root else None
        if draft and draft.name in drafts:
            draft.root.value.wrong(f"dimension {draft.name!r} is defined in another file too")
        elif draft:
            drafts[draft.name] = draft
    dimensions = {name: _finish(draft, drafts) for name, draft in drafts.items()}
    problems.raise_any()
    return Definitions(_in_order(dimensions, problems))


def _draft(root: Value) -> _Draft | None:
    mapping = root.mapping()
    mapping.only("dimension", "description", "owner", "features", "segments", "otherwise", "learn")
    name = mapping.require("dimension")
    if name is None:
        return None
    listed = mapping.get("segments")
    rules = [item.mapping() for item in listed.items()] if listed else []
    draft = _Draft(name.text(), mapping, rules)
    features = mapping.get("features")
    for feature, value in features.mapping().entries.items() if features else ():
        if not feature.isidentifier() or keyword.iskeyword(feature) or feature in RESERVED:
            value.wrong(f"{feature!r} cannot be a feature's name: use letters, digits and _, and none of {RESERVED}")
        accumulator = parse_feature(value)
        if accumulator is not None:
            draft.features[feature] = accumulator
    draft.segments = _segment_names(draft)
    return draft


def _segment_names(draft: _Draft) -> tuple[str, ...]:
    found: list[str] = []
    for value in [rule.require("segment") for rule in draft.rules] + [draft.root.get("otherwise")]:
        if value is None:
            continue
        name = value.text()
        if name in found:
            value.wrong(f"segment {name!r} stands here twice")
        if not name:
            value.wrong("a segment needs a name")
        if name == "none":
            value.wrong("no segment may be called 'none': that is the word for being in no segment")
        found.append(name)
    return tuple(found)


@dataclass(frozen=True)
class _Names:
    """What names mean inside one dimension."""

    draft: _Draft
    drafts: MappingOf[str, _Draft]

    def view(self, feature: str, view: str) -> tuple[Kind, Shape] | None:
        views = self.draft.features[feature].views() if feature in self.draft.features else {}
        return (views[view].kind, views[view].shape) if view in views else None

    def features(self) -> list[str]:
        return list(self.draft.features)

    def views(self, feature: str) -> list[str]:
        return [name for name in self.draft.features[feature].views() if name]

    def segments(self, dimension: str) -> tuple[str, ...] | None:
        return self.drafts[dimension].segments if dimension in self.drafts else None

    def dimensions(self) -> list[str]:
        return list(self.drafts)


def _finish(draft: _Draft, drafts: MappingOf[str, _Draft]) -> Dimension:
    names = _Names(draft, drafts)
    learn = draft.root.get("learn")
    segments = tuple(s for s in (_segment(rule, draft, names) for rule in draft.rules) if s)
    if not draft.rules and not learn:
        draft.root.value.wrong("a dimension needs 'segments' (or 'learn', for clusters)")
    learning = _learning(learn.mapping(), names) if learn else None
    text = {key: value.text() for key in ("description", "owner", "otherwise") if (value := draft.root.get(key))}
    conditions = [c for s in segments for c in (s.when, s.leave) if c is not None]
    features = _bounded(draft, [*conditions, *(learning.vector.values() if learning else ())])
    dimension = Dimension(
        draft.name,
        text.get("description", ""),
        text.get("owner", ""),
        features,
        segments,
        text.get("otherwise"),
        learning,
        "",
        draft.root.value.place,
    )
    return replace(dimension, fingerprint=_fingerprint(dimension))


def _segment(rule: Mapping, draft: _Draft, names: _Names) -> Segment | None:
    rule.only("segment", "when", "leave", "from", "for", "topic", "note")
    name, when = rule.get("segment"), rule.require("when")
    if name is None or when is None:
        return None
    condition = _condition(when, names)
    leave = rule.get("leave")
    came_from = rule.get("from")
    for other in came_from.texts() if came_from else ():
        if came_from and other not in draft.segments:
            came_from.wrong(f"there is no segment {other!r} here{suggest(other, draft.segments)}")
    lasts, topic, note = rule.get("for"), rule.get("topic"), rule.get("note")
    if topic and not TOPIC.fullmatch(topic.text()):
        topic.wrong("a topic's name has letters, digits, '.', '_' and '-', at most 249")
    if lasts and not came_from:
        lasts.wrong("'for' ends a stay, so say with 'from' who may enter; else everyone would be back at once")
    if condition is None:
        return None
    return Segment(
        name.text(),
        condition,
        _condition(leave, names) if leave else None,
        came_from.texts() if came_from else (),
        lasts.duration() if lasts else None,
        topic.text() if topic else None,
        note.text() if note else "",
    )


def _learning(mapping: Mapping, names: _Names) -> Learning:
    mapping.only("clusters", "vector", "every")
    clusters, vector, every = mapping.require("clusters"), mapping.require("vector"), mapping.get("every")
    parts: dict[str, tree.Number] = {}
    for name, value in vector.mapping().entries.items() if vector else ():
        try:
            parts[name] = parse_number(value.text(), names)
        except ExpressionError as error:
            _report(value, error)
    return Learning(max(1, clusters.whole()) if clusters else 1, parts, every.duration() if every else 86_400_000)


def _condition(value: Value, names: _Names) -> tree.Condition | None:
    try:
        return parse_condition(value.text(), names)
    except ExpressionError as error:
        _report(value, error)
        return None


def _report(value: Value, error: ExpressionError) -> None:
    """Place the mistakes inside the expression: exact where it stands on one line, else at the start of the value."""
    place = value.place
    mark = value.node
    plain = mark.start_mark.line == mark.end_mark.line
    quoted = 1 if plain and getattr(mark, "style", None) in ("'", '"') else 0
    for at, message in error.found:
        column = place.column + quoted + at if plain else place.column
        value.problems.add(Place(place.file, place.line, column), message)


def _bounded(draft: _Draft, expressions: list[tree.Condition | tree.Number]) -> dict[str, Accumulator]:
    """The features, each keeping just what the conditions ask for."""
    asked: dict[str, float | None] = {}
    for expression in expressions:
        for name, k in tree.thresholds(expression).items():
            asked[name] = None if k is None or asked.get(name, 0) is None else max(k, asked.get(name) or 0)
    found = {}
    for name, accumulator in draft.features.items():
        if accumulator.needs_threshold() and name in asked:
            k = asked[name]
            if k is None:
                features = draft.root.entries["features"].mapping()
                features.entries[name].wrong(f"say how far {name!r} has to count, for instance 'up_to: 50'")
                k = 1.0
            accumulator = accumulator.with_threshold(int(k))
        limit, most = accumulator.counts_to(), int(asked.get(name) or 0)
        if limit is not None and most > limit:
            features = draft.root.entries["features"].mapping()
            features.entries[name].wrong(f"{name!r} is compared with {most} but counts only 'up_to: {limit}'")
        found[name] = accumulator
    return found


def _fingerprint(dimension: Dimension) -> str:
    """Eight hex digits of what the dimension means; prose, places and where changes are sent do not count."""
    canonical = {
        "name": dimension.name,
        "features": {name: repr(a) for name, a in sorted(dimension.features.items())},
        "segments": [_without_columns(repr(replace(s, note="", topic=None))) for s in dimension.segments],
        "otherwise": dimension.otherwise,
        "learning": _without_columns(repr(dimension.learning)),
    }
    return hashlib.blake2b(json.dumps(canonical, sort_keys=True).encode(), digest_size=4).hexdigest()


def _without_columns(text: str) -> str:
    """A tree's repr without the columns, which move when only the layout of a line changes."""
    parts = text.split(" at=")
    return parts[0] + "".join(part.lstrip("0123456789") for part in parts[1:])


def _in_order(dimensions: MappingOf[str, Dimension], problems: Problems) -> tuple[Dimension, ...]:
    sorter = TopologicalSorter({name: sorted(d.refers_to()) for name, d in sorted(dimensions.items())})
    try:
        sorter.prepare()
    except CycleError as error:
        names = [str(name) for name in error.args[1]]
        problems.add(dimensions[names[0]].place, f"these dimensions depend on each other: {' -> '.join(names)}")
    problems.raise_any()
    order: list[Dimension] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += [dimensions[name] for name in ready]
        sorter.done(*ready)
    return tuple(order)

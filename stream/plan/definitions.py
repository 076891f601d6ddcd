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
from stream.features.own_zone import OwnZone
from stream.features.propensity import Input, Propensity
from stream.plan import tree
from stream.plan.dimension import Definitions, Dimension, Learning, Once, Segment
from stream.plan.document import Mapping, Value, parse_document
from stream.plan.expressions import ExpressionError, parse_condition, parse_number
from stream.plan.feature_keys import MOST_COUNTED
from stream.plan.features import parse_feature
from stream.plan.learning import clusters_of, margin_of, words_of
from stream.plan.motion import UNSOLVED, unsolved
from stream.plan.problems import Place, Problems, suggest
from stream.plan.zones import read_zone

__all__ = ["Definitions", "Dimension", "Learning", "Once", "Segment", "parse_definitions"]

#: What Kafka allows as the name of a topic.
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
#: Words with a meaning of their own, in conditions or in the evidence of a change.
RESERVED = ("event", "segment")
#: Keys of a dimension, and of a segment.
KEYS = (
    *("dimension", "description", "owner", "minimum_size", "zone", "among", "every", "stay", "features", "segments"),
    *("otherwise", "learn"),
)
SEGMENT_KEYS = (
    *("segment", "when", "leave", "from", "for", "stay", "cooldown", "every", "count_returns"),
    *("topic", "note"),
)


@dataclass
class _Draft:
    """A dimension's file, read as far as possible without knowing the other files."""

    name: str
    root: Mapping
    rules: list[Mapping]
    zone: str | OwnZone
    features: dict[str, Accumulator] = field(default_factory=dict)
    segments: tuple[str, ...] = ()


def parse_definitions(
    files: MappingOf[str, str],
    zone: str | OwnZone = "UTC",
    refused: MappingOf[str, str] | None = None,
    once: Once | None = None,
) -> Definitions:
    """Definitions from file name -> text; raises :class:`DefinitionError` with every mistake of every file.

    ``zone`` is the time zone (IANA) of the dimensions that name none, or how each customer's own is known; ``refused``
    has files without a text, and why; ``once`` says which events count once.
    """
    problems = Problems()
    for file, why in (refused or {}).items():
        problems.add(Place(file, 1, 1), why)
    drafts: dict[str, _Draft] = {}
    for file, text in sorted(files.items()):
        root = parse_document(text, file, problems)
        draft = _draft(root, zone) if root else None
        if draft and draft.name in drafts:
            other = drafts[draft.name].root.value.file
            draft.root.entries["dimension"].wrong(f"dimension {draft.name!r} is defined in {other} too; rename one")
        elif draft:
            drafts[draft.name] = draft
    dimensions = {name: _finish(draft, drafts) for name, draft in drafts.items()}
    return Definitions(_in_order(dimensions, problems), once or Once())


def _draft(root: Value, zone: str | OwnZone) -> _Draft | None:
    mapping = root.mapping()
    mapping.only(*KEYS)
    name = mapping.require("dimension")
    if name is None:
        return None
    listed = mapping.get("segments")
    rules = [item.mapping() for item in listed.items()] if listed else []
    own = mapping.get("zone")
    if not name.text() or not name.text().isprintable():
        name.wrong("a dimension needs a name of one line")
    draft = _Draft(name.text(), mapping, rules, read_zone(own, zone) if own else zone)
    features = mapping.get("features")
    named = features.mapping() if features else None
    for feature, value in named.entries.items() if named else ():
        if not feature.isidentifier() or keyword.iskeyword(feature) or feature in RESERVED:
            why = "it has a meaning of its own; take another" if feature.isidentifier() else "use letters, digits and _"
            named.keys[feature].wrong(f"{feature!r} cannot be a feature's name: {why}")  # type: ignore[union-attr]
        accumulator = parse_feature(value, draft.zone)
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
        if not name or not name.isprintable():
            value.wrong("a segment needs a name of one line")
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
    names, root = _Names(draft, drafts), draft.root
    learn = root.get("learn")
    segments = tuple(s for s in (_segment(rule, draft, names) for rule in draft.rules) if s)
    if not draft.rules and not learn:
        root.value.wrong("a dimension needs 'segments' (or 'learn', for clusters)")
    learning = _learning(learn.mapping(), names) if learn else None
    for key in ("segments", "otherwise", "every") if learn else ():
        if (value := root.get(key)) is not None:
            value.wrong(f"{key!r} says nothing beside 'learn', whose clusters are the segments; take one of them out")
    text = {key: value.text() for key in ("description", "owner", "otherwise") if (value := root.get(key))}
    size = root.get("minimum_size")
    dimension = Dimension(
        draft.name,
        text.get("description", ""),
        text.get("owner", ""),
        draft.features,
        segments,
        text.get("otherwise"),
        learning,
        "",
        root.value.place,
        _among(draft, names, segments),
        _positive(root, "stay"),
        size.whole() if size else None,
        draft.zone,
    )
    among = [dimension.among] if dimension.among else []
    learned_from = [*(learning.vector.values() if learning else ()), *_inputs(draft, names).values()]
    features = _named(_bounded(draft, [*dimension.conditions, *among, *learned_from]))
    dimension = replace(dimension, features=features)
    return replace(dimension, fingerprint=_fingerprint(dimension))


def _inputs(draft: _Draft, names: _Names) -> dict[tuple[str, str], tree.FeatureRef]:
    """What predictions are learned from, by the name of the prediction and as it is written there."""
    found: dict[tuple[str, str], tree.FeatureRef] = {}
    for name, prediction in draft.features.items():
        if not isinstance(prediction, Propensity) or not prediction.parts:
            continue
        parts = draft.root.entries["features"].mapping().entries[name].mapping().entries["from"]
        for part, value in zip(prediction.parts, parts.items(), strict=False):
            feature, _, view = part.partition(".")
            known = names.view(feature, view)
            if known is None:
                value.wrong(f"there is no feature {part!r} here{suggest(part, draft.features)}")
            elif known[0] in (Kind.TEXT, Kind.TEXTS) or known[1] is Shape.LOOKED:
                value.wrong(
                    f"a prediction is learned from numbers, durations and amounts, and {part!r} is none of them"
                )
            else:
                found[name, part] = tree.FeatureRef(feature, view, *known, 0)
    return found


def _named(features: MappingOf[str, Accumulator]) -> dict[str, Accumulator]:
    """The features, those that are predictions with their own names and the features that they are learned from."""
    found = dict(features)
    for name, feature in features.items():
        if isinstance(feature, Propensity):
            parts = [(part, *part.partition(".")[::2]) for part in feature.parts]
            inputs = (Input(part, features[of], view) for part, of, view in parts if of in features)
            found[name] = replace(feature, name=name, inputs=tuple(inputs))
    return found


def _among(draft: _Draft, names: _Names, segments: tuple[Segment, ...]) -> tree.Condition | None:
    """Of whom cuts by share are taken."""
    value = draft.root.get("among")
    condition = _condition(value, names, None, crossings=False) if value else None
    if value is None or condition is None:
        return None
    conditions = [c for s in segments for c in (s.when, s.leave) if c is not None]
    if tree.cuts(condition):
        value.wrong("'among' says of whom shares are taken, so it cannot speak of shares itself")
    elif len(segments) == len(draft.rules) and not any(tree.cuts(c) for c in conditions):
        value.wrong("no condition here speaks of a share of customers (`spend in top 20%`), so 'among' says nothing")
    return condition


def _positive(mapping: Mapping, key: str) -> int | None:
    """A duration of more than nothing, or None where the key is absent."""
    value = mapping.get(key)
    if value is None:
        return None
    found = value.duration()
    if found <= 0:
        value.wrong(f"{key!r} must be longer than nothing")
    return max(found, 1)


def _segment(rule: Mapping, draft: _Draft, names: _Names) -> Segment | None:
    rule.only(*SEGMENT_KEYS)
    name, when = rule.get("segment"), rule.require("when")
    stay, every = (_positive(rule if key in rule.entries else draft.root, key) for key in ("stay", "every"))
    if name is None or when is None:
        return None
    condition, leave = (_condition(v, names, every) if (v := rule.get(key)) else None for key in ("when", "leave"))
    came_from, lasts = rule.get("from"), rule.get("for")
    for other in came_from.texts() if came_from else ():
        if came_from and other not in draft.segments:
            came_from.wrong(f"there is no segment {other!r} here{suggest(other, draft.segments)}")
    topic, note, returns = rule.get("topic"), rule.get("note"), rule.get("count_returns")
    if topic and not TOPIC.fullmatch(topic.text()):
        topic.wrong("a topic's name has letters, digits, '.', '_' and '-', at most 249")
    if lasts and not came_from:
        lasts.wrong("'for' ends a stay, so say with 'from' who may enter; else everyone would be back at once")
    if lasts and stay is not None and lasts.duration() < stay:
        lasts.wrong("'for' ends the stay before 'stay' lets anyone leave; make it as long at least")
    cooldown = _positive(rule, "cooldown")
    if condition is None:
        return None
    return Segment(
        name.text(),
        condition,
        leave,
        came_from.texts() if came_from else (),
        _positive(rule, "for"),
        topic.text() if topic else None,
        note.text() if note else "",
        stay,
        cooldown,
        every,
        returns.truth() if returns else False,
        when.place,
    )


def _learning(mapping: Mapping, names: _Names) -> Learning:
    mapping.only("clusters", "vector", "every", "margin", "words")
    clusters, vector, every = mapping.require("clusters"), mapping.require("vector"), _positive(mapping, "every")
    parts: dict[str, tree.Number] = {}
    for name, value in vector.mapping().entries.items() if vector else ():
        try:
            parts[name] = parse_number(value.text(), names)
        except ExpressionError as error:
            _report(value, error)
    least, most = clusters_of(clusters) if clusters else (1, 1)
    words = words_of(mapping, parts)
    return Learning(most, parts, every or 86_400_000, margin_of(mapping), least, words)


def _condition(value: Value, names: _Names, every: int | None, *, crossings: bool = True) -> tree.Condition | None:
    """The typed condition, or None (noted); with ``crossings`` it must be known when it changes by itself."""
    try:
        condition = parse_condition(value.text(), names)
        lost = list(unsolved(condition)) if crossings and every is None else []
        if lost:
            (at, why), *others = [(at, f"{UNSOLVED} {why}; say with 'every: 1h' how often to look") for at, why in lost]
            raise ExpressionError(at, why, others)
    except ExpressionError as error:
        _report(value, error)
        return None
    return condition


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
            if k is None or k > MOST_COUNTED:
                features = draft.root.entries["features"].mapping()
                far = f"say how far {name!r} has to count, for instance 'up_to: 50'"
                if k is not None:
                    most_kept = f"make it at most {MOST_COUNTED}: so many are kept of each customer"
                    far = f"{name!r} is compared with {_plain(k)}; {most_kept}"
                features.entries[name].wrong(far)
                asked[name] = k = 1.0
            accumulator = accumulator.with_threshold(int(k))
        limit, most = accumulator.counts_to(), int(asked.get(name) or 0)
        if limit is not None and most > limit:
            features = draft.root.entries["features"].mapping()
            features.entries[name].wrong(
                f"{name!r} is compared with {most} but counts only {_limit(accumulator, limit)}"
            )
        found[name] = accumulator
    return found


def _limit(accumulator: Accumulator, limit: int) -> str:
    """What bounds a count."""
    book = accumulator.book()
    return f"'up_to: {limit}'" if book is None else f"up to {limit}, one less than the orders that 'last' keeps"


def _plain(k: float) -> str:
    """A number as people write it, as long as it is no longer than they would."""
    return f"{k:.0f}" if k == int(k) and k < 1e15 else f"{k:g}"


def _fingerprint(dimension: Dimension) -> str:
    """Eight hex digits of what the dimension means; prose, places and where changes are sent do not count."""
    canonical = {
        "name": dimension.name,
        "features": {name: repr(a) for name, a in sorted(dimension.features.items())},
        "segments": [_without_columns(repr(replace(s, note="", topic=None))) for s in dimension.segments],
        "otherwise": dimension.otherwise,
        "learning": _without_columns(repr(dimension.learning)),
        "among": _without_columns(repr(dimension.among)),
        "stay": dimension.stay,
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

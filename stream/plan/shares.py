"""What cuts by share are taken of: the measures, and the cuts that conditions compare with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from stream.plan.definitions import Definitions, Dimension
from stream.plan.tree import Condition, Cut, Number, cuts, references
from stream.plan.words import show


@dataclass(frozen=True)
class Measure:
    """A value of every customer of whom ``among`` holds (None: of all), in the words of one dimension.

    ``text`` names it: the same in other definitions as long as it means the same.
    """

    text: str
    dimension: int
    of: Number
    among: Condition | None


@dataclass(frozen=True)
class Shares:
    """All measures, and all cuts: (index of the measure, share)."""

    measures: tuple[Measure, ...]
    cuts: tuple[tuple[int, float], ...]

    def place(self, dimension: Dimension, cut: Cut) -> int:
        """Where a cut of this dimension stands among all."""
        texts = [measure.text for measure in self.measures]
        return self.cuts.index((texts.index(measure_text(dimension, cut.of)), cut.share))


def find_shares(definitions: Definitions) -> Shares:
    """What these definitions compare with, in the order of the dimensions and of what is measured."""
    measures: dict[str, Measure] = {}
    found: set[tuple[str, float]] = set()
    for j, dimension in enumerate(definitions.dimensions):
        for cut in (cut for condition in dimension.conditions for cut in cuts(condition)):
            text = measure_text(dimension, cut.of)
            measures.setdefault(text, Measure(text, j, cut.of, dimension.among))
            found.add((text, cut.share))
    names = sorted(measures)
    listed = sorted((names.index(text), share) for text, share in found)
    return Shares(tuple(measures[name] for name in names), tuple(listed))


def measure_text(dimension: Dimension, of: Number) -> str:
    """Dimension and expression in words, and a hash of what the features in them are."""
    text = f"{dimension.name}: {show(of)}"
    names = {name for name, _ in references(of)}
    if dimension.among is not None:
        text += f" among {show(dimension.among)}"
        names |= {name for name, _ in references(dimension.among)}
    meaning = "\n".join(f"{name}={dimension.features[name]!r}" for name in sorted(names))
    return f"{text} @{hashlib.blake2b(meaning.encode(), digest_size=4).hexdigest()}"

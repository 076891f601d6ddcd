"""What is no mistake in definitions, but probably not meant: for whoever checks them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stream.events.names import KNOWN
from stream.plan.definitions import Definitions, Dimension
from stream.plan.judging import evidence
from stream.plan.problems import Place
from stream.plan.reach import unreachable
from stream.plan.tree import references

FORGETS = "asks to forget its customer (customers.forget_events): no feature ever sees it"
#: How alike (0 to 1) two names must be for one to be a slip of the other.
ALIKE = 0.88


@dataclass(frozen=True, order=True)
class Hint:
    """One hint: where it is, at least in which file, the dimension it is about, and a sentence."""

    place: Place
    dimension: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


def find_hints(definitions: Definitions, forget: Collection[str] = ()) -> list[Hint]:
    """All hints, in the order of the files.  ``forget``: names of events that ask to forget their customer."""
    found = [Hint(d.place, d.name, sentence) for d in definitions.dimensions for sentence in _of(d)]
    for d in definitions.dimensions:
        asking = sorted({name for a in d.accumulators for name in a.reactions() if name in forget})
        found += [Hint(d.place, d.name, f"{name!r} {FORGETS}") for name in asking]
    lost = (
        Hint(u.place, u.dimension, f"nobody can ever be in {u.segment!r}: {u.why}") for u in unreachable(definitions)
    )
    return sorted([*found, *lost])


def _of(dimension: Dimension) -> Iterator[str]:
    yield from _prose(dimension)
    for name in sorted({name for a in dimension.accumulators for name in a.reactions()}):
        near = misspelt(name)
        if near is not None:
            yield f"no event of the specification is called {name!r}; is {near!r} meant?"
    for name in _unused(dimension):
        yield f"feature {name!r} is used by no condition, and takes up room in every row"


def _prose(dimension: Dimension) -> Iterator[str]:
    if not dimension.description:
        yield "say in 'description' what this dimension tells"
    if not dimension.owner:
        yield "say in 'owner' what to do with its segments"
    if dimension.minimum_size is None and not dimension.learning:
        yield "say in 'minimum_size' from how many customers on a segment is worth a campaign"


def misspelt(name: str) -> str | None:
    """The known event name that is probably meant; None where the name is known, or like none of them."""
    if name in KNOWN:
        return None
    plain = {known.lower(): known for known in sorted(KNOWN)}
    found = difflib.get_close_matches(name.lower().replace("_", " "), plain, n=1, cutoff=ALIKE)
    return plain[found[0]] if found else None


def _unused(dimension: Dimension) -> list[str]:
    """Features that decide nothing, neither in a condition nor in what cuts are taken over."""
    used = {ref.feature for ref in evidence(dimension)}
    if dimension.among is not None:
        used |= {name for name, _ in references(dimension.among)}
    return sorted(name for name in dimension.features if name not in used)

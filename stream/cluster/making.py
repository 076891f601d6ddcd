"""A version of the clusters, made of what was drawn: names and profiles for people, numbers for the shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.cluster import portrait
from stream.cluster.drawing import Drawing
from stream.cluster.identity import Identity
from stream.cluster.model import ClusterModel, Profile
from stream.cluster.settings import TrainerSettings

Matrix = NDArray[np.float64]


def first_or_redrawn(
    settings: TrainerSettings,
    before: ClusterModel | None,
    drawing: Drawing,
    identity: Identity,
    given: Mapping[int, str],
    stamp: Mapping[str, Any],
) -> ClusterModel:
    """A version with the best candidate's clusters; ``stamp`` has its number, instant, cursor and the like."""
    names = _names(settings, before, identity.ids, drawing.best.centroids, given)
    return ClusterModel(
        dimension=settings.dimension,
        features=settings.features,
        mean=tuple(drawing.space.mean.tolist()),
        scale=tuple(drawing.space.scale.tolist()),
        centroids=_rows(drawing.best.centroids),
        ids=identity.ids,
        slots=identity.slots,
        story=identity.story,
        names=names,
        given=tuple(number for number in identity.ids if number in given),
        profiles=_profiles(settings, before, drawing, identity.ids, stamp["version"]),
        scores=drawing.scores,
        why=drawing.why,
        **stamp,
    )


def as_before(
    settings: TrainerSettings,
    before: ClusterModel,
    drawing: Drawing | None,
    given: Mapping[int, str],
    stamp: Mapping[str, Any],
) -> ClusterModel:
    """A version with the same clusters, to the last bit, and what ``drawing`` tells of them now."""
    fresh: dict[str, Any] = {
        "names": renamed(settings, before, given),
        "given": tuple(number for number in before.numbers if number in given),
        "story": (),
        "ids": before.numbers,
        "slots": before.places,
    }
    if drawing is not None and drawing.present is not None:
        fresh["names"] = _names(settings, before, before.numbers, drawing.present.centroids, given)
        fresh["profiles"] = _profiles(settings, before, drawing, before.numbers, stamp["version"])
        fresh |= {"scores": drawing.scores, "why": drawing.why}
    return msgspec.structs.replace(before, **fresh, **stamp)


def renamed(settings: TrainerSettings, before: ClusterModel, given: Mapping[int, str]) -> tuple[str, ...]:
    """The names of the same clusters, with those that people gave since."""
    traits = [{trait.feature: trait.deviations for trait in profile.traits} for profile in before.profiles] or [
        {}
    ] * len(before.centroids)
    deviations = np.array([[row.get(feature, 0.0) for feature in settings.features] for row in traits])
    kept = {n: name for n, name in zip(before.numbers, before.names, strict=True) if n not in before.given}
    return tuple(_named(settings, before.numbers, deviations, given, kept))


def _names(
    settings: TrainerSettings,
    before: ClusterModel | None,
    ids: Sequence[int],
    deviations: Matrix,
    given: Mapping[int, str],
) -> tuple[str, ...]:
    """Given names first, then those of old that still hold, then new ones."""
    old = {} if before is None else dict(zip(before.numbers, before.names, strict=True))
    made = {number for number in old if before is not None and number not in before.given}
    kept = {
        number: old[number]
        for number, row in zip(ids, deviations.tolist(), strict=True)
        if number in made and portrait.still_holds(old[number], settings.features, row, settings.words)
    }
    return tuple(_named(settings, ids, deviations, given, kept))


def _named(
    settings: TrainerSettings, ids: Sequence[int], deviations: Matrix, given: Mapping[int, str], kept: Mapping[int, str]
) -> Iterable[str]:
    found: dict[int, str] = {}
    for number in ids:
        if number in given:
            found[number] = portrait.unlike(given[number], set(found.values()))
    for number in ids:
        if number not in found and kept.get(number) not in (None, *found.values()):
            found[number] = kept[number]
    for number, row in zip(ids, deviations.tolist(), strict=True):
        if number not in found:
            traits = portrait.traits_of(settings.features, row, settings.words)
            found[number] = portrait.name_of(traits, set(found.values()))
    return [found[number] for number in ids]


def _profiles(
    settings: TrainerSettings, before: ClusterModel | None, drawing: Drawing, ids: Sequence[int], version: int
) -> tuple[Profile, ...]:
    born = {}
    if before is not None and before.profiles:
        born = {number: p.born for number, p in zip(before.numbers, before.profiles, strict=True)}
    elif before is not None:
        born = dict.fromkeys(before.numbers, before.version)
    shown = drawing.shown
    return portrait.profiles_of(
        settings.features,
        settings.words,
        drawing.points,
        shown.labels,
        shown.centroids,
        list(shown.silhouette_by_cluster),
        [born.get(number, version) for number in ids],
    )


def _rows(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())

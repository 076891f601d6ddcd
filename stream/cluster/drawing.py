"""Which clusters to publish: the candidates and the published ones, scored on the same recent customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.cluster.identity import Drawn, match
from stream.cluster.model import ClusterModel, Score
from stream.cluster.scoring import CLEARLY, Scale, Scored, choose_number, nearest, score, score_as
from stream.cluster.seeding import refine, seed_centroids
from stream.cluster.settings import TrainerSettings
from stream.cluster.window import Space

Matrix = NDArray[np.float64]

#: Names among the scores, beside those of the candidates: the clusters that are published already, and these with their
#: centres moved to where their customers are now.
PUBLISHED, REFINED = "published", "refined"


@dataclass(frozen=True, eq=False)
class Drawing:
    """What came out of a comparison.

    Parameters
    ----------
    space, points
        Where all was compared: the scale of the sample, and the sample in it (n, d).
    best
        The best of the candidates.
    present
        The published clusters, row by row as they are published.
    redrawn
        Whether the best is to be published instead of them.
    scores
        Of all, for people.
    why
        Why this, and why so many clusters.
    """

    space: Space
    points: Matrix
    best: Scored
    present: Scored | None
    redrawn: bool
    scores: tuple[Score, ...]
    why: str

    def postponed(self) -> Drawing:
        """The same, but the published clusters stay for a version more."""
        scores = tuple(msgspec.structs.replace(each, chosen=each.candidate == PUBLISHED) for each in self.scores)
        why = "as in the version before: the places of clusters that went are not yet free for others"
        return replace(self, redrawn=False, scores=scores, why=why)

    @property
    def shown(self) -> Scored:
        """What is published after this."""
        return self.best if self.redrawn or self.present is None else self.present


def draw(
    settings: TrainerSettings, samples: Matrix, before: ClusterModel | None, online: Mapping[str, Matrix]
) -> Drawing | None:
    """Compare candidates on ``samples`` (n, d); None where too few customers differ.

    ``online`` has the centroids of those that learned online (k, d), as plain vectors.
    """
    space = Space.of(samples)
    points = space.scaled(samples)
    scale = Scale.of(points)
    fresh = _fresh(settings, scale)
    if not fresh:
        return None
    count = None if before is None else len(before.centroids)
    number, reason = choose_number(fresh, count)
    followed = [score(name, space.scaled(rows), scale) for name, rows in online.items() if len(rows)]
    present = None if before is None else _published(before, samples, space, scale)
    refined = None if present is None else refine(scale.fitted, present.centroids)
    if refined is not None:
        followed.append(score(REFINED, refined, scale))
    best = _best(settings, followed, fresh[number], present)
    decision, redrawn = _decide(settings, best, before, present)
    best = _whole(best, points) if redrawn else best
    shown = best if redrawn or present is None else present
    others = [each for each in (*followed, fresh[number], present) if each is not None]
    scores = tuple(
        Score(each.name, each.clusters, round(each.inertia, 6), round(each.silhouette, 4), each is shown)
        for each in others
    )
    if best.clusters != fresh[number].clusters:
        reason = f"{best.clusters} clusters: {best.name} found so many, silhouette {best.silhouette:.2f}"
    return Drawing(space, points, best, present, redrawn, scores, f"{reason}; {decision}")


def _fresh(settings: TrainerSettings, scale: Scale) -> dict[int, Scored]:
    """The clusters that are found anew on the sample, for each number of them that may be."""
    found = {}
    for number in range(settings.fewest, settings.most + 1):
        centroids = seed_centroids(scale.fitted, number, settings.seed)
        if centroids is not None:
            found[number] = score("fresh", centroids, scale)
    return found


def _published(before: ClusterModel, samples: Matrix, space: Space, scale: Scale) -> Scored:
    own = Space(np.array(before.mean), np.array(before.scale))
    centroids = space.from_other(np.array(before.centroids), own)
    return score_as(PUBLISHED, centroids, before.assign(samples), scale)


def _best(settings: TrainerSettings, followed: Sequence[Scored], fresh: Scored, present: Scored | None) -> Scored:
    """Of those with as many clusters as were chosen the tightest, or one nearly so that moves fewer customers; or one
    with another number that parts them better."""
    running = [*followed, *([fresh] if "fresh" in settings.candidates else [])]
    alike = [each for each in running if each.clusters == fresh.clusters] or [fresh]
    least = min(each.inertia for each in alike)
    good = [each for each in alike if each.inertia <= least * (1 + settings.redraw_gain)]
    best = good[0] if present is None else max(good, key=lambda each: _kept(present, each))
    bold = [
        each
        for each in running
        if settings.fewest <= each.clusters <= settings.most and each.silhouette > best.silhouette + CLEARLY
    ]
    return max([each for each in bold if each.clusters != best.clusters], key=lambda e: e.silhouette, default=best)


def _whole(best: Scored, points: Matrix) -> Scored:
    """What is to be published, moved to the middle of its customers in both halves of the sample: which is the best was
    decided by the half held out, where the centres lie is better known by both."""
    centroids = refine(points, best.centroids)
    return best if centroids is None else replace(best, centroids=centroids, labels=nearest(points, centroids))


def _kept(present: Scored, other: Scored) -> float:
    """The share of customers that would stay in the cluster in which they are."""
    matched = match(Drawn(present.labels, present.centroids), Drawn(other.labels, other.centroids))
    return float((np.array(matched)[other.labels] == present.labels).mean())


def _decide(
    settings: TrainerSettings, best: Scored, before: ClusterModel | None, present: Scored | None
) -> tuple[str, bool]:
    """Whether to publish the best instead of what is published, and why."""
    if before is None or present is None:
        return f"drawn for the first time, by {best.name}", True
    if best.clusters != present.clusters:
        return f"drawn anew by {best.name}: there were {present.clusters} clusters", True
    gain = 1 - best.inertia / present.inertia if present.inertia > 0 else 0.0
    if max(before.places) >= 2 * settings.most:
        return f"drawn anew by {best.name}: the definition allows fewer clusters", True
    if gain > settings.redraw_gain:
        return f"drawn anew by {best.name}, {gain:.1%} tighter than version {before.version}", True
    empty = present.clusters - len(np.unique(present.labels))
    if empty:
        return f"drawn anew by {best.name}: {empty} clusters had no customers any more", True
    return (
        f"as in version {before.version}: {best.name} is {max(gain, 0.0):.1%} tighter, too little to move customers",
        False,
    )

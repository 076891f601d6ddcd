"""What a person is told of a cluster: a name, what sets it apart, how alike its customers are, and a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from stream.cluster.model import Profile, Trait

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Standard deviations from the mean of all from which on a feature sets a cluster apart.
TELLING = 0.5
#: A name stays while what it says still holds by this much.
STILL = 0.1
#: Most traits of a profile, and in a name.
TRAITS, NAMED = 5, 3
#: A cluster with a smaller share of the customers is reported as too small.
SMALL = 0.01
#: A cluster whose customers are less alike than this is reported as too loose.
LOOSE = 0.2
#: What a cluster is called that nothing sets apart.
PLAIN = "close to the average"


def traits_of(
    features: Sequence[str], deviations: Sequence[float], words: Mapping[str, tuple[str, str]]
) -> list[Trait]:
    """What sets a centroid apart from the mean of all, the most telling first."""
    order = sorted(range(len(features)), key=lambda place: (-abs(deviations[place]), place))
    return [
        Trait(features[place], round(deviations[place], 3), word(features[place], deviations[place] > 0, words))
        for place in order
        if abs(deviations[place]) >= TELLING
    ]


def word(feature: str, high: bool, words: Mapping[str, tuple[str, str]]) -> str:
    """What a person calls a high or low value of a feature."""
    low_word, high_word = words.get(feature, (f"low {feature}", f"high {feature}"))
    return high_word if high else low_word


def name_of(traits: Sequence[Trait], taken: Set[str]) -> str:
    """A name that is not taken: the most telling traits, more of them where fewer do not tell it apart."""
    for count in range(NAMED, len(traits) + 1):
        name = ", ".join(trait.words for trait in traits[:count])
        if name not in taken:
            return name
    return unlike(", ".join(trait.words for trait in traits[:NAMED]) or PLAIN, taken)


def unlike(name: str, taken: Set[str]) -> str:
    """The name, with a number behind it where it is taken."""
    if name not in taken:
        return name
    return next(f"{name} ({number})" for number in range(2, len(taken) + 3) if f"{name} ({number})" not in taken)


def still_holds(
    name: str, features: Sequence[str], deviations: Sequence[float], words: Mapping[str, tuple[str, str]]
) -> bool:
    """Whether each of the words in a name that was made is still true of the centroid."""
    said = name.rsplit(" (", 1)[0] if name.endswith(")") else name
    if said == PLAIN:
        return max(map(abs, deviations)) < TELLING
    true = [word(f, d > 0, words) for f, d in zip(features, deviations, strict=True) if abs(d) >= STILL]
    return _spelled(said, true)


def _spelled(said: str, words: Sequence[str]) -> bool:
    """Whether a text is some of these words, with commas between (words may hold commas themselves)."""
    if not said:
        return True
    return any(
        said == each or (said.startswith(f"{each}, ") and _spelled(said[len(each) + 2 :], words)) for each in words
    )


def profiles_of(
    features: Sequence[str],
    words: Mapping[str, tuple[str, str]],
    points: Matrix,
    labels: Labels,
    centroids: Matrix,
    silhouettes: Sequence[float],
    born: Sequence[int],
) -> tuple[Profile, ...]:
    """The profile of each cluster on a sample of customers: ``points`` (n, d) with mean 0, and the row of each.

    ``silhouettes`` is the mean of each cluster's.
    """
    whole = float(np.square(points).sum(axis=1).mean()) if len(points) else 0.0
    sizes = np.bincount(labels, minlength=len(centroids))
    distances = np.bincount(labels, np.square(points - centroids[labels]).sum(axis=1), minlength=len(centroids))
    found = []
    for row, deviations in enumerate(centroids.tolist()):
        share = float(sizes[row] / max(len(points), 1))
        loose = float(distances[row] / sizes[row] / whole) if sizes[row] and whole else 1.0
        found.append(
            Profile(
                share=round(share, 4),
                homogeneity=round(1 - loose, 4),
                silhouette=round(silhouettes[row], 4),
                born=born[row],
                traits=tuple(traits_of(features, deviations, words)[:TRAITS]),
                warning=_warning(share, 1 - loose),
            )
        )
    return tuple(found)


def _warning(share: float, homogeneity: float) -> str:
    small = f"too small: {share:.1%} of the customers" if share < SMALL else ""
    loose = f"too loose: its customers are hardly more alike than any (homogeneity {homogeneity:.2f})"
    return "; ".join(part for part in (small, loose if homogeneity < LOOSE else "") if part)

"""Whether the world changes: river's ADWIN on each feature and on how well the clusters fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import drift

Matrix = NDArray[np.float64]

#: Any: its constructor is without types.
_ADWIN: Any = drift.ADWIN
#: Chance of a false alarm that ADWIN's test allows.
DELTA = 0.002
#: A change is told where the mean of ADWIN's window, which lets go of what was before a change, has moved by so many
#: standard deviations since the clusters were drawn, or since it was told last: ADWIN sees smaller ones too, such as
#: those of the hours of a day.
CLEAR = 0.25
#: The least that such a window must hold.
ENOUGH = 100
#: The name of how well the clusters fit, beside the features.
INERTIA = "inertia"


@dataclass(frozen=True)
class Drifted:
    """A mean that has changed: of which feature (or `INERTIA`), from what to what, in standard deviations.

    For `INERTIA` both are natural logarithms of a squared distance.
    """

    what: str
    before: float
    after: float


class Watch:
    """Looks for changes in series of numbers, one by one.

    Parameters
    ----------
    names
        Of the series.
    levels
        Series -> the mean that a change is measured from; one without is not watched.
    """

    def __init__(self, names: Sequence[str], levels: Mapping[str, float]) -> None:
        self.names = tuple(names)
        self.levels = {name: levels[name] for name in names if name in levels}
        self._detectors: dict[str, Any] = {name: _ADWIN(delta=DELTA) for name in self.levels}

    def seen(self, rows: Mapping[str, Matrix]) -> None:
        """Take in what is known already, without telling of changes in it."""
        for name in self.levels:
            for value in rows[name].tolist():
                self._detectors[name].update(value)

    def level(self) -> None:
        """Measure changes from where each series is now, as far as that is known."""
        now = {name: float(each.estimation) for name, each in self._detectors.items() if each.width >= ENOUGH}
        self.levels |= now

    def look(self, rows: Matrix) -> Iterator[tuple[int, Drifted]]:
        """The changes seen in further numbers (n, series), each with the row at which it was seen."""
        for name in self.levels:
            place = self.names.index(name)
            detector = self._detectors[name]
            for row, value in enumerate(rows[:, place].tolist()):
                detector.update(value)
                if detector.width >= ENOUGH and abs(detector.estimation - self.levels[name]) >= CLEAR:
                    before, self.levels[name] = self.levels[name], detector.estimation
                    yield row, Drifted(name, before, detector.estimation)


def series(points: Matrix, squared: Matrix) -> Matrix:
    """The numbers watched (n, d + 1): points of one space, and the logarithm of their squared distances."""
    return np.column_stack((points, np.log(np.maximum(squared, 1e-3))))

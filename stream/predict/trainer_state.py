"""What a trainer of propensity leaves in each version, to go on from there, and how that is read back."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.predict.candidate import CandidateState
from stream.predict.progress import Window
from stream.predict.propensity import PropensityModel

#: Nobody counts further: what says that it did was not written by a trainer.
MOST_ANSWERS = 1 << 53
#: The judge whose scores are the published model's own.
MODEL = "model"


class ScalerState(msgspec.Struct, frozen=True):
    """One scaler, 2 d numbers each."""

    counts: tuple[int, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]


class PropensityState(msgspec.Struct, frozen=True):
    """What a warmed-up trainer needs to go on where it was; travels in each version."""

    version: int
    effective: int
    learned: int
    units: tuple[float, ...]
    scalers: tuple[ScalerState, ScalerState]
    candidates: tuple[CandidateState, ...]
    judges: tuple[str, ...]
    window: bytes
    seen: int


def scaler_state(scaler: Any, width: int) -> ScalerState:
    """Of a scaler of river with so many inputs."""
    places = range(width)
    return ScalerState(
        tuple(int(scaler.counts[place]) for place in places),
        tuple(float(scaler.means[place]) for place in places),
        tuple(float(scaler.vars[place]) for place in places),
    )


def window_of(model: PropensityModel) -> Window | None:
    """The latest answers that its trainer had when it was published; None where it does not say."""
    state = read_state(model)
    return None if state is None else _window(state)


def _window(state: PropensityState) -> Window:
    window = Window(state.judges, max(1, len(state.window) // (4 * len(state.judges) + 4)))
    window.restore(state.window, state.seen)
    return window


def read_state(model: PropensityModel) -> PropensityState | None:
    """The state of the trainer that wrote a version; None where there is none, or one that no trainer wrote."""
    try:
        state = msgspec.json.decode(model.trainer, type=PropensityState)
        counted = 0 <= state.learned <= MOST_ANSWERS and state.seen <= MOST_ANSWERS
        if not counted or MODEL not in state.judges:
            return None
        _window(state)
    except ValueError:  # those of msgspec are
        return None
    width = 2 * len(model.features)
    scaled = all(
        len(one.counts) == len(one.means) == len(one.variances) == width and min(*one.counts, *one.variances) >= 0
        for one in state.scalers
    )
    fits = scaled and all(len(one.weights) == width + 1 for one in state.candidates)
    units = len(state.units) == len(model.features) and min(state.units) > 0
    return state if fits and units else None

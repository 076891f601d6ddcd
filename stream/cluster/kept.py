"""What a trainer keeps from version to version beside its sample; it lies in each version, so that a restart has it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.cluster.state import Mark, TrainerState
from stream.cluster.window import Window


@dataclass
class Kept:
    """The ids to come and those that rest, places in the stream of vectors, the space of what learns and where it goes
    on, and the levels from which drift is seen (`TrainerState` says each in a line)."""

    next_id: int = 0
    resting: dict[int, int] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=lambda: [Mark(0, {0: 0})])
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    placed: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    stayed: dict[str, int] = field(default_factory=dict)
    unrest: int = 0

    def take_up(self, state: TrainerState) -> None:
        """Go on from what a version holds; ids and those that rest are the caller's."""
        self.marks = list(state.marks)
        self.mean, self.scale = state.mean, state.scale
        self.placed = {name: np.array(rows, np.float64) for name, rows in state.placed.items()}
        self.levels, self.told = dict(state.levels), dict(state.told)
        self.stayed, self.unrest = dict(state.stayed), state.unrest

    def state(self, window: Window) -> msgspec.Raw:
        """All of it, and how far back the sample reaches, for a version to hold."""
        placed = {name: tuple(tuple(row) for row in rows.tolist()) for name, rows in self.placed.items()}
        state = TrainerState(
            next_id=self.next_id,
            resting=self.resting,
            marks=tuple(self.marks),
            oldest=window.oldest,
            share=window.share,
            mean=self.mean,
            scale=self.scale,
            placed=placed,
            levels=self.levels,
            told=dict(sorted(self.told.items())),
            stayed=dict(sorted(self.stayed.items())),
            unrest=self.unrest,
        )
        return msgspec.Raw(msgspec.json.encode(state))

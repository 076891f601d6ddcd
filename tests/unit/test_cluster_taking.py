"""What the trainer of a worker makes of the records that it is handed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream.cluster.trainer import TrainerSettings
from stream.cluster.wire import encode_headers, encode_value, layout_of
from stream.learners.clusters import TrainerService
from stream.learners.learner import LearnerSettings

TRAINING = TrainerSettings(features=("a", "b"), clusters=2, warm_up=500)


@dataclass
class Record:
    offset: int
    value: bytes
    headers: list[tuple[str, bytes]]


def records(lo: int, hi: int) -> list[Record]:
    headers = encode_headers(1_700_000_000_000, layout_of(TRAINING.features))
    return [Record(offset, encode_value(np.array([offset, 1.0])), headers) for offset in range(lo, hi)]


def test_a_topic_made_anew_while_the_trainer_runs_is_learned_from_its_beginning() -> None:
    """Nothing is published before the warm-up ends, so there is nothing to write to."""
    failures: list[BaseException] = []
    service = TrainerService(LearnerSettings("app", "v", "c", {}, {}), TRAINING, failures.append, share=1.0)
    nowhere: Any = None

    async def scenario() -> None:
        for lo, hi in ((0, 50), (0, 30), (30, 40)):
            await service.learn(records(lo, hi), nowhere)

    asyncio.run(scenario())
    assert service.counts.learned == 90

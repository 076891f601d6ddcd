"""Faults aimed at the very request, on a real Kafka: what was committed is what a replay makes of the same events.

Each once, on one application; `make chaos` does these and more, many times over.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.chaos import broker_faults, faults
from tests.chaos.__main__ import shoppers
from tests.chaos.proxy import Act, Api, Moment
from tests.chaos.stage import make_stage
from tests.chaos.traffic import cut
from tests.chaos.verdict import judge
from tests.e2e.test_living_definitions import FIRST


@pytest.mark.timeout(900)
def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    """A worker killed when its commit is done and not yet known, another while it reads its rows back, a commit whose
    answer is lost and one that nobody answers, one that arrives when its worker was replaced, and the broker killed:
    changes, books, dead letters and latest segments are those of a replay."""
    random = Random(5)
    stage = make_stage(tmp_path, FIRST, cut(shoppers(tmp_path, 5, 30, 40), 10))
    try:
        stage.supervise()
        for worker in "ab":
            stage.want(worker)
        stage.settle()
        faults.kill_in_commit(stage, random, faults.IN_COMMIT.index((Api.END_TXN, Moment.ANSWER)))
        held = dict(faults.OPENING)[Api.FETCH]
        faults.kill_in_opening(stage, random, faults.IN_OPENING.index((Api.FETCH, Moment.ANSWER, held)))
        stage.settle()
        faults.refuse(stage, random, faults.REFUSALS.index((Api.END_TXN, Moment.ANSWER, Act.CLOSE)))
        faults.refuse(stage, random, faults.REFUSALS.index((Api.TXN_OFFSET_COMMIT, Moment.REQUEST, Act.SILENCE)))
        stage.settle()
        faults.commit_late(stage, random, 0)
        broker_faults.kill_broker(stage, random, 0)
        verdict = judge(stage, stage.finish())
    finally:
        stage.close()
    assert stage.restarts >= 3
    assert verdict.changes > 300
    assert verdict.exact, verdict

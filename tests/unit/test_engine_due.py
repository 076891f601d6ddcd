"""Finding who is due: the bounds of blocks never hide a deadline, and a shard at rest looks at bounds alone."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from stream.engine import rows as engine_rows
from stream.engine.rows import Rows
from stream.features.base import FOREVER
from stream.plan import header
from tests.shards import Driver, logs, plan_of, told
from tests.shop import BUSY, LIFE, UNTIL, WISH, history

PLAN = plan_of(LIFE, BUSY, WISH)


@pytest.mark.parametrize("few", [0, 1, 128])
def test_bounds_of_blocks_find_what_a_scan_of_all_deadlines_finds(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever deadlines are lowered, raised and looked for, over a part of a block, several blocks and growth."""
    monkeypatch.setattr(engine_rows, "FEW_BLOCKS", few)
    random, rows, size = Random(few), Rows(PLAN), 0
    for _ in range(400):
        what = random.random()
        if what < 0.1:
            rows.find([b"c%d" % k for k in range(size, size + random.randint(1, 900))])
            size = len(rows)
        elif what < 0.7 and size:
            i, t = random.randrange(size), random.choice([FOREVER, random.randrange(1000)])
            rows.table.deadline[i] = t  # as the kernel does
            block = i >> header.BLOCK
            rows.table.coarse[block] = min(rows.table.coarse[block], t)
        else:
            clock = random.randrange(1000)
            expected = np.flatnonzero(rows.table.deadline[:size] <= clock)
            np.testing.assert_array_equal(rows.due(clock), expected)
            assert rows.is_due(clock) is bool(len(expected))
    assert len(rows.table.coarse) > 4


def test_bounds_are_right_again_after_any_history_restart_and_other_definitions() -> None:
    """Kernels, recovery and adoption keep them: no bound is later than a deadline of its block."""
    driver = Driver(PLAN, logs(history(3, customers=30, length=300), UNTIL))
    for wandered in (driver.wander(Random(3)), driver):
        rows = wandered.shard.rows
        assert (rows.table.coarse[:1] <= rows.table.deadline[: len(rows)].min()).all()
        wandered.shard.adopt(plan_of(LIFE, BUSY))
        rows = wandered.shard.rows
        assert (rows.table.coarse[:1] == rows.table.deadline[: len(rows)].min()).all()
        driver.open()


def test_steps_end_when_nothing_is_due() -> None:
    """A bound that is too early costs a look, not a transaction: steps with nothing to do write nothing."""
    driver = Driver(PLAN, logs(history(4, customers=9, length=200), UNTIL)).finish()
    rows = driver.shard.rows
    before = told(driver.changes)
    rows.table.coarse[:] = 0
    assert not driver.step()
    assert rows.table.coarse[0] == rows.table.deadline[: len(rows)].min()
    assert told(driver.changes) == before

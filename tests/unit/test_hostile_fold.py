"""Whatever comes in, all of the catalogue goes on: nothing raises, nothing grows, nobody becomes unreadable."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.engine import rest
from stream.engine.layouts import shape_of
from tests.depth import examples
from tests.hostile import plan, texts
from tests.shards import TOPICS, Driver, Log, Record, told

DAY = 86_400_000
START = 1_700_000_000_000
#: A row of the catalogue: a limit no history may pass (bytes, packed).
MOST_BYTES = 64_000


def log_of(values: list[bytes | None]) -> Log:
    """All in one topic, as nothing that is hostile keeps to the rules of topics."""
    found: Log = {(topic, 0): [] for topic in TOPICS}
    found["clickstream", 0] = [Record(k, value, b"k", START) for k, value in enumerate(values)]
    return found


def check(driver: Driver, n: int) -> None:
    """The books balance, and all that was written can be read: changes, rows, and what people are shown."""
    assert driver.counts.read == n
    assert driver.counts.balanced()
    for change in driver.changes:
        found = json.loads(change.data(), parse_constant=lambda name: pytest.fail(f"{name} in a change"))
        assert found["dimension"] == change.dimension
        assert all(isinstance(value, bytes) and len(value) < 8_000 for _, value in change.headers())
    for out in driver.outputs:
        for key, value in out.rows:
            assert not key.startswith(rest.ROW) or len(value or b"") < MOST_BYTES
        for _, value in out.customers:
            orjson.loads(value or b"{}")
    for key in driver.shard.rows.keys:
        orjson.dumps(driver.shard.describe(key.decode()))
    if driver.shard.rows.keys:
        orjson.dumps(driver.shard.explain(driver.shard.rows.keys[0].decode(), DAY))


def rows_of(driver: Driver) -> dict[bytes, Any]:
    """Each customer's columns."""
    rows = driver.shard.rows
    return {key: rows.table.ints[i].copy() for i, key in enumerate(rows.keys)}


@examples(15)
@given(st.lists(texts(), min_size=1, max_size=10), st.integers(0, 1 << 30))
def test_any_events_fold_and_come_back(values: list[bytes], seed: int) -> None:
    """Restarts and batches make no difference, whatever is in the rows: so they hold all there is, exactly."""
    whole = Driver(plan(), log_of(list(values))).finish()
    check(whole, len(values))
    parts = Driver(plan(), log_of(list(values))).wander(Random(seed), restarts=0.15)
    check(parts, len(values))
    assert told(parts.changes) == told(whole.changes)
    before = rows_of(whole)
    whole.open()
    head = [p for p in range(plan().layout.width) if shape_of(plan().layout).kinds[p] != 0]
    for key, row in rows_of(whole).items():
        assert np.array_equal(row[head], before[key][head]), key
    check_rewritten(whole)


def check_rewritten(driver: Driver) -> None:
    """Rows that came from rest are written as they were."""
    rows = driver.shard.rows
    latest = {key[1:]: value for key, value in driver.changelog if key.startswith(rest.ROW)}
    packed = rest.encode_rows(rows, np.arange(len(rows)), rest.fingerprint(plan()))
    assert len(packed) == len(latest)
    again = Driver(plan(), log_of([]))
    others = [(k, v) for k, v in driver.changelog if not k.startswith(rest.ROW)] + list(packed)
    again.shard = type(again.shard)(plan(), 0, list(again.log))
    again.shard.restore([k for k, _ in others], [v for _, v in others])
    assert again.shard.restored()
    for key, row in rows_of(again).items():
        i = rows.index[key]
        keep = shape_of(plan().layout).kinds != 0
        assert np.array_equal(row[keep], rows.table.ints[i][keep]), key

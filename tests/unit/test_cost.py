"""What a customer costs at rest: figures are the bytes that are written, and a dimension's share is what it adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
import yaml
from click.testing import CliRunner

from stream.app import bootstrap
from stream.cli.cost import command
from stream.engine.cost import columns_of, columns_of_all, cost_of
from stream.engine.shard import Shard
from stream.plan.plan import twin_plan
from tests.shards import Driver, logs, plan_of
from tests.shop import BUSY, LIFE, UNTIL, WISH, history

AGAIN = {**LIFE, "dimension": "again"}
EVENTS = history(8, customers=9, length=150)


@pytest.fixture(scope="module")
def shard() -> Shard:
    """A few customers under dimensions of every kind, one of them with the features of another."""
    return Driver(plan_of(LIFE, BUSY, WISH, AGAIN), logs(EVENTS, UNTIL)).finish().shard


def test_sizes_are_those_of_the_records_written(shard: Shard) -> None:
    """Key and value as they go to the changelog."""
    driver = Driver(shard.plan, logs(EVENTS, UNTIL)).finish()
    last = {key: value for key, value in driver.changelog if key[:1] == b"c" and value is not None}
    written = [len(key) + len(last[key]) for key in (b"c" + key for key in driver.shard.rows.keys)]
    assert cost_of(driver.shard.rows).sizes.tolist() == written


def test_a_dimension_adds_what_would_be_saved_without_it(shard: Shard) -> None:
    """Compared with the same history under definitions that lack it."""
    cost = cost_of(shard.rows)
    without = Driver(plan_of(LIFE, BUSY, AGAIN), logs(EVENTS, UNTIL)).finish().shard
    saved = np.median(cost.sizes - cost_of(without.rows).sizes)
    adds = {d.name: d.adds for d in cost.dimensions}
    assert adds["wish"] == pytest.approx(saved, abs=4)  # without it customers have made fewer changes, too
    assert adds["wish"] > adds["again"] < 12


def test_what_dimensions_share_counts_as_no_ones_own(shard: Shard) -> None:
    """Equal features are one feature; only the segment and the moment it was entered are their own."""
    cost = {d.name: d for d in cost_of(shard.rows).dimensions}
    assert cost["again"].own == cost["life"].own == 2
    assert cost["again"].columns == cost["life"].columns
    assert cost["again"].alone > 2 * cost["again"].adds
    assert cost["wish"].own == cost["wish"].columns == 5


def test_every_column_belongs_to_a_dimension_or_to_every_row(shard: Shard) -> None:
    """A column that is left out here would be missing from what dimensions cost."""
    dimensions = range(len(shard.plan.definitions.dimensions))
    found = columns_of_all(shard.plan.layout).union(*(columns_of(shard.plan, j) for j in dimensions))
    assert found == set(range(shard.plan.layout.width))


def test_the_command_tells_median_and_dimensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a table, and as JSON with the same figures."""
    monkeypatch.setattr(bootstrap, "make_plan", lambda found, settings: twin_plan(found))
    (tmp_path / "events.jsonl").write_bytes(b"".join(orjson.dumps(e) + b"\n" for e in EVENTS))
    folder = tmp_path / "definitions"
    folder.mkdir()
    for one in (LIFE, WISH):
        (folder / f"{one['dimension']}.yaml").write_text(yaml.safe_dump(one, sort_keys=False))
    arguments = [str(tmp_path / "events.jsonl"), "--definitions", str(folder)]
    told = orjson.loads(CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert told["customers"] == 9
    assert told["dimensions"].keys() == {"life", "wish"}
    assert 0 < told["common"] < told["median"] <= told["p95"]
    assert told["dimensions"]["wish"]["events"][0] == "Order Completed"
    table = CliRunner().invoke(command, arguments, catch_exceptions=False).stdout
    assert f"{told['median']:,.0f} bytes a customer at rest" in " ".join(table.split())

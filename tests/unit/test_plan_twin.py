"""The shipped catalogue as machine code and as its uncompiled twin: equal changes on the simulator's traffic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from stream.compiled import compile_plan
from stream.engine import rest
from stream.engine.change import Change
from stream.engine.layouts import shape_of
from stream.plan.definitions import Definitions, parse_definitions
from stream.plan.plan import PLAIN, Plan, twin_plan
from stream.simulate.simulation import SimulationOptions, simulate
from tests.shards import CONTROL, TOPICS, Driver, Log, Record

CATALOGUE = Path(__file__).parents[2] / "config" / "segments"
OPTIONS = SimulationOptions(customers=40, days=120, seed=11, products=30)


#: What the language has and the catalogue may not.
FURTHER = """
dimension: further
stay: 12h
every: 6h
among: orders >= 1
features:
  orders: {count: Order Completed}
  spend: {sum: total, of: Order Completed}
  ago: {since: [Product Viewed, Order Completed]}
  born: {since first: [Product Viewed, Order Completed]}
  views: {rate: Product Viewed, half_life: 7d}
  buys: {rate: Order Completed, half_life: 30d}
segments:
  - segment: fading
    when: views < buys and -views <= -0.01 and known(spend.mean)
    leave: segment.lifecycle.since < 1h or ago < 1h
    cooldown: 9d
  - segment: turned
    when: segment.lifecycle.before == "active" and segment.lifecycle.since >= 2d
    stay: 3d
  - segment: best
    when: spend in top 20% or quintile(buys) in (2, 4) or ago in bottom 10%
  - segment: some
    when: share("a") < 50% or share("b") >= 0.9 or orders in (2, 3) and orders not in (3, 4)
  - segment: same
    when: ago == born or 2 * ago - born > 3d or abs(orders - 2) <= 1
"""
PARTS = {"spend": 3e8, "buys": 1.5, "ago": 3e8}


@pytest.fixture(scope="module")
def catalogue() -> Definitions:
    """The shipped definitions, and one that uses the rest of the language."""
    files = {file.name: file.read_text() for file in CATALOGUE.glob("*.yaml")}
    return parse_definitions(files | {"further.yaml": FURTHER})


class Knowing(Driver):
    """A driver whose shard knows the cuts of the further dimension, also after a restart."""

    def open(self, plan: Plan | None = None) -> None:
        super().open(plan)
        for place, (measure, share) in enumerate(self.plan.cuts):
            dimension, _, of = self.plan.measures[measure].partition(": ")
            if dimension == "further":
                self.shard.versions.slots.cuts[:, place] = PARTS[of.split(" among ")[0]] * share
        self.shard.judge.rearm()


@pytest.fixture(scope="module")
def compiled(catalogue: Definitions, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Compiled once, into an empty cache."""
    return compile_plan(catalogue, tmp_path_factory.mktemp("plans"))


@pytest.fixture(scope="module")
def traffic() -> Log:
    """Some months of a small shop."""
    log: Log = {(topic, 0): [] for topic in TOPICS if topic != CONTROL}
    for one in simulate(OPTIONS):
        into = log[one.topic, 0]
        into.append(Record(len(into), one.value, one.key, one.instant_ms))
    return log


def fields(change: Change) -> tuple[Any, ...]:
    """All but the evidence, whose decayed rates may differ in the last digit."""
    return (change.subject, change.sequence, change.dimension, change.from_segment, change.to_segment, change.at_ms,
            change.cause, change.definition, change.topics, change.stayed_ms, change.away_ms,
            change.evidence.get("event"))  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Equal values, or numbers that are equal but for rounding."""
    if isinstance(one, float) or isinstance(other, float):
        return bool(one == pytest.approx(other, rel=1e-9))
    return bool(one == other)


def test_machine_code_and_twin_agree(catalogue: Definitions, compiled: Plan, traffic: Log) -> None:
    """Field by field, the evidence to nine digits; the compiled plan in random batches with restarts."""
    twin = Knowing(twin_plan(catalogue), traffic).finish()
    code = Knowing(compiled, traffic).wander(Random(3), restarts=0.02, most=400)
    ours = sorted(code.changes, key=lambda c: (c.subject, c.sequence))
    theirs = sorted(twin.changes, key=lambda c: (c.subject, c.sequence))
    assert len(theirs) > 500
    assert [fields(c) for c in ours] == [fields(c) for c in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a.evidence.keys() == b.evidence.keys()
        assert all(same(a.evidence[name], b.evidence[name]) for name in a.evidence), (a, b)
    assert code.counts == twin.counts
    assert {c.dimension for c in theirs} >= {"lifecycle", "wishlist", "cart", "frequency", "journey", "usage"}
    assert {c.to_segment for c in theirs if c.dimension == "further"} >= {"fading", "turned", "best", "some", "same"}


def test_a_compiled_plan_comes_from_the_cache(catalogue: Definitions, compiled: Plan) -> None:
    """The text of the module is the same each time, so that its machine code is found again."""
    again = compile_plan(catalogue, Path(str(compiled.kernels.work.__code__.co_filename)).parent)
    assert again.source == compiled.source
    assert again.kernels.work is compiled.kernels.work


def test_rows_are_packed_alike(compiled: Plan, traffic: Log) -> None:
    """Packed by machine code and by plain Python: the same bytes, and either reads them."""
    shard = Driver(compiled, traffic).finish().shard
    picks = np.arange(len(shard.rows))
    code, ends = rest.pack(shard.rows, picks)
    shard.rows.plan = replace(compiled, kernels=replace(compiled.kernels, packing=PLAIN))
    plain, _ = rest.pack(shard.rows, picks)
    np.testing.assert_array_equal(code, plain)
    values = [b"8 bytes." + code[a:b].tobytes() for a, b in zip([0, *ends.tolist()], ends.tolist(), strict=False)]
    shape = shape_of(compiled.layout)
    ours = rest.unpack(compiled.kernels.packing, values, shape, shard.rows.texts)
    theirs = rest.unpack(PLAIN, values, shape, shard.rows.texts)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert len(ours[1]) > 0

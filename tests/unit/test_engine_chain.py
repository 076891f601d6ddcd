"""Versions of definitions, cuts and clusters in one chain: what a customer sees depends on them and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.engine import rest
from stream.engine.change import Change
from stream.engine.versions import CutsVersion, DefinitionsVersion
from stream.plan.plan import Plan
from tests.shards import CONTROL, Driver, Log, Published, Record, event, files_of, logs, plan_of, told, wire_time
from tests.shop import BUSY, CLUSTER, LIFE, UNTIL, WISH, history, model

Dimension = dict[str, Any]
VALUE: Dimension = {
    "dimension": "value",
    "features": {"spend": {"sum": "total", "of": "Order Completed"}, "views": {"count": "Product Viewed"}},
    "segments": [
        {"segment": "top", "when": "spend in top 20%"},
        {"segment": "keen", "when": "quintile(views) >= 3"},
    ],
    "otherwise": "rest",
}


def reworded(one: Dimension, **changes: Any) -> Dimension:
    """The dimension with other parts."""
    return {**one, **changes}


LIVES = [
    LIFE,
    reworded(LIFE, segments=LIFE["segments"][:1] + LIFE["segments"][2:]),
    reworded(LIFE, segments=[{"segment": "late", "when": "ago >= 30ms"}, {"segment": "buys", "when": "orders >= 1"}]),
    reworded(
        LIFE,
        features=LIFE["features"] | {"near": {"count": "Order Completed", "within": "40ms"}},
        segments=[
            {"segment": "late", "when": "ago >= 2 * gap", "stay": "12ms"},
            {"segment": "rich", "when": "near >= 2", "cooldown": "25ms"},
            *LIFE["segments"][3:],
        ],
    ),
]
BUSIES = [
    BUSY,
    reworded(BUSY, segments=[{"segment": "hot", "when": "near >= 3"}, {"segment": "warm", "when": "rate > 0.5"}]),
    reworded(BUSY, segments=[{"segment": "back", "when": 'segment.life.before == "late"'}, BUSY["segments"][1]]),
    None,
]
WISHES = [
    WISH,
    reworded(WISH, segments=WISH["segments"][1:]),
    reworded(WISH, features={"wishes": WISH["features"]["wishes"] | {"limit": 2}}, segments=WISH["segments"][2:]),
    None,
]
CLUSTERS = [
    CLUSTER,
    reworded(CLUSTER, learn={"clusters": 2, "every": "20ms", "vector": {"orders": "orders"}}),
    None,
]
HALVES = reworded(VALUE, segments=[{"segment": "keen", "when": "views in top 50%"}])
VALUES = [VALUE, HALVES, None]


def some_dimensions(random: Random) -> list[Dimension]:
    """Definitions that share some of their dimensions and features with others."""
    picked = [random.choice(LIVES), *(random.choice(kind) for kind in (BUSIES, WISHES, CLUSTERS, VALUES))]
    return [one for one in picked if one is not None]


def publish(version: int, effective: int, *dimensions: Dimension) -> bytes:
    """A version of definitions."""
    return DefinitionsVersion(version, effective, files_of(*dimensions)).to_json()


def some_cuts(version: int, effective: int, random: Random) -> bytes:
    """A version of cuts that knows the measures of both value dimensions."""
    found = []
    for one in (VALUE, HALVES):
        plan = plan_of(one)
        found += [(plan.measures[m], share, float(random.randrange(6) * 5)) for m, share in plan.cuts]
    return CutsVersion(version, effective, sorted(set(found))).to_json()


def some_definitions(version: int, effective: int, random: Random) -> bytes:
    """A version of definitions that share some of their parts with others."""
    return publish(version, effective, *some_dimensions(random))


def some_clusters(version: int, effective: int, random: Random) -> bytes:
    """A version of clusters."""
    return model(version, effective, [[random.randrange(3), random.randrange(4)], [2, 0]])


def some_versions(random: Random, most: int = 5) -> list[bytes]:
    """Versions of all kinds; numbers and instants rise within a kind."""
    kinds = [random.choice([some_cuts, some_definitions, some_clusters]) for _ in range(random.randint(1, most))]
    found = []
    for make in (some_cuts, some_definitions, some_clusters):
        instants = sorted(random.sample(range(5, 260), kinds.count(make)))
        found += [make(k + 1, t, random) for k, t in enumerate(instants)]
    return found


@dataclass
class Scene:
    """A history, versions and the definitions of the beginning."""

    plan: Plan
    log: Log
    random: Random

    def driver(self, delay: int = 0, limit: int = 1000) -> Driver:
        """Nothing done yet."""
        return Driver(self.plan, self.log, limit=limit, plans=Published(delay))


def control(*values: bytes | int) -> list[Record]:
    """Records of the control topic: versions, and clocks by their instant."""
    made = [v if isinstance(v, bytes) else orjson.dumps({"type": "clock", "timestamp": wire_time(v)}) for v in values]
    return [Record(k, value) for k, value in enumerate(made)]


def late_ones(events: list[dict[str, Any]], random: Random, share: float) -> list[dict[str, Any]]:
    """The history with some events further back in the log than their time."""
    keyed = [(k + (random.randint(1, 12) if random.random() < share else 0), k) for k in range(len(events))]
    return [events[k] for _, k in sorted(keyed)]


def scene(seed: int, *, late: float = 0.0, late_versions: bool = False, customers: int = 4) -> Scene:
    """A scene from a seed."""
    random = Random(seed)
    log = logs(late_ones(history(seed, customers=customers), random, late))
    versions = some_versions(random)
    clocks = sorted(random.choice([0, random.randrange(250)]) for _ in versions) if late_versions else []
    mixed = [x for pair in zip(clocks, versions, strict=True) for x in pair] if late_versions else versions
    log[CONTROL, 0] = control(*mixed, UNTIL)
    return Scene(plan_of(*some_dimensions(random)), log, random)


def everything(driver: Driver) -> Any:
    """What came out, and how everyone stands at the end."""
    shard = driver.shard
    standing = {key: shard.describe(key.decode()) for key in sorted(shard.rows.keys)}
    return told(driver.changes), standing, shard.sizes(), shard.versions.late, shard.versions.skipped


MANY = settings(max_examples=60, deadline=None)


@MANY
@given(st.integers(0, 1 << 40), st.sampled_from([0.0, 0.3]), st.booleans())
def test_batches_polling_and_restarts_do_not_matter(seed: int, late: float, late_versions: bool) -> None:
    """Any batches, order of polling, slices, restarts and time to compile; also with late events and late versions."""
    one = scene(seed, late=late, late_versions=late_versions)
    plain = one.driver().finish()
    wandered = one.driver(delay=one.random.randrange(3), limit=one.random.choice([1, 2, 1000]))
    wandered.wander(one.random, restarts=0.15)
    changes, standing, sizes, *counted = everything(plain)
    assert told(wandered.changes) == changes
    assert everything(wandered)[1:3] == (standing, sizes)
    assert plain.counts == wandered.counts
    assert late_versions or counted == [0, counted[1]]


@pytest.mark.parametrize("seed", range(8))
def test_a_restart_after_every_step(seed: int) -> None:
    """All that a shard knows of versions is at rest: also in the middle of a move, and of definitions it waits for."""
    one = scene(seed, late=0.2, late_versions=seed % 2 == 1)
    plain = one.driver().finish()
    stepped = one.driver(delay=1)
    for _ in range(150):
        for source, records in stepped.log.items():
            stepped.offer(source, len(records))
        for source in stepped.log:
            stepped.prove(source)
        stepped.step(1)
        stepped.open()
    assert told(stepped.finish().changes) == told(plain.changes)
    assert everything(stepped)[1:3] == everything(plain)[1:3]


@pytest.mark.parametrize("seed", range(6))
def test_the_number_of_partitions_does_not_matter(seed: int) -> None:
    """Customers on one shard or on four, products and versions on all: the same changes."""
    random = Random(seed)
    events, versions, plan = (
        history(seed, customers=9, length=110),
        some_versions(random),
        plan_of(*some_dimensions(random)),
    )
    parts = []
    for shards in (1, 4):
        found: list[Change] = []
        for shard in range(shards):
            mine = [e for e in events if "userId" not in e or int(e["userId"][1:]) % shards == shard]
            log = logs(mine)
            log[CONTROL, 0] = control(*versions, UNTIL)
            found += Driver(plan, log, plans=Published()).finish().changes
        parts.append(told(found))
    assert parts[0] == parts[1]


@pytest.mark.parametrize("seed", range(8))
def test_versions_of_different_kinds_may_come_in_any_order(seed: int) -> None:
    """Within a kind they rise; across kinds only their instants count."""
    one = scene(seed)
    by_kind: dict[str, list[bytes]] = {}
    for record in one.log[CONTROL, 0][:-1]:
        by_kind.setdefault(orjson.loads(record.value or b"")["type"], []).append(record.value or b"")
    plain = one.driver().finish()
    mixed: list[bytes] = []
    while any(by_kind.values()):
        mixed.append(one.random.choice([kind for kind in by_kind.values() if kind]).pop(0))
    one.log[CONTROL, 0] = control(*mixed, UNTIL)
    assert told(one.driver().finish().changes) == told(plain.changes)


@pytest.mark.parametrize("seed", range(8))
def test_each_instant_is_judged_by_the_definitions_in_force(seed: int) -> None:
    """Before the effective instant by the old ones only, from it on by the new ones only."""
    random = Random(seed)
    events, old, new = history(seed), some_dimensions(random), some_dimensions(random)
    log = logs(events)
    log[CONTROL, 0] = control(publish(1, 100, *new), UNTIL)
    changes = Driver(plan_of(*old), log, plans=Published()).finish().changes
    for at, plan in ((range(100), plan_of(*old)), (range(100, UNTIL + 1), plan_of(*new))):
        versions = {d.version for d in plan.definitions.dimensions}
        assert {c.definition for c in changes if c.at_ms in at} <= versions
    before = Driver(plan_of(*old), logs([e for e in events if e["timestamp"] < wire_time(100)], 99)).finish()
    assert told([c for c in changes if c.at_ms < 100]) == told(before.changes)
    assert {c.cause for c in changes if c.definition not in {d.version for d in plan_of(*old).definitions.dimensions}
            and c.at_ms == 100} <= {"definition", "event"}  # fmt: skip


RULES = [
    {"segment": "late", "when": "ago >= 2 * gap"},
    {"segment": "rich", "when": "spend >= 25"},
    {"segment": "buys", "when": "orders >= 1"},
]
OTHER_RULES = [
    {"segment": "buys", "when": "orders >= 3 or spend >= 30"},
    {"segment": "late", "when": "ago >= gap"},
]


@pytest.mark.parametrize("seed", range(8))
def test_new_rules_over_the_same_features_equal_a_fresh_replay(seed: int) -> None:
    """From their instant on, customers are where they would be had the rules held from the beginning."""
    old, new = reworded(LIFE, segments=RULES), reworded(LIFE, segments=OTHER_RULES)
    log = logs(history(seed))
    fresh = Driver(plan_of(new, WISH), {**log, (CONTROL, 0): control(UNTIL)}).finish()
    log[CONTROL, 0] = control(publish(1, 100, new, WISH), UNTIL)
    driver = Driver(plan_of(old, WISH), log, plans=Published()).finish()

    def where(changes: list[Change], at: int) -> dict[tuple[str, str], str | None]:
        return {(c.subject, c.dimension): c.to_segment for c in changes if c.at_ms <= at}

    for at in range(100, UNTIL + 1, 5):
        assert where(driver.changes, at) == where(fresh.changes, at)
    later = [[(c.subject, c.dimension, c.to_segment, c.at_ms, c.cause) for c in d.changes if c.at_ms > 100]
             for d in (driver, fresh)]  # fmt: skip
    assert sorted(later[0], key=str) == sorted(later[1], key=str)
    assert driver.shard.sizes() == fresh.shard.sizes()


def ordered(count: int, total: int = 5) -> list[dict[str, Any]]:
    """An order of each of so many customers, at 10 ms; every tenth is large."""
    return [event(f"c{k}", "Order Completed", 10, total=total * (6 if k % 10 == 0 else 1)) for k in range(count)]


SPENDERS: Dimension = {
    "dimension": "spenders",
    "features": {"spend": {"sum": "total", "of": "Order Completed"}},
    "segments": [{"segment": "big", "when": "spend >= 50"}],
    "otherwise": "small",
}
LOWER = reworded(SPENDERS, segments=[{"segment": "big", "when": "spend >= 25"}])


@pytest.mark.parametrize("limit", [7, 1000])
def test_only_who_changes_is_written_and_in_slices(limit: int) -> None:
    """A hundred customers of whom ten move: ten rows, at most ``limit`` customers looked at in a step."""
    log = logs(ordered(100))
    log[CONTROL, 0] = control(20)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    driver.limit = limit
    before = len(driver.outputs)
    log[CONTROL, 0] += [Record(k + 1, r.value) for k, r in enumerate(control(publish(1, 30, LOWER), 40))]
    driver.finish()
    steps = driver.outputs[before:]
    moved = [c for out in steps for c in out.changes]
    assert {(c.from_segment, c.to_segment, c.at_ms, c.cause) for c in moved} == {("small", "big", 30, "definition")}
    assert sorted(c.subject for c in moved) == sorted(f"c{k}" for k in range(0, 100, 10))
    assert [key[1:] for out in steps for key, _ in out.rows if key[:1] == rest.ROW] == [c.customer for c in moved]
    assert len(steps) >= 100 // limit
    written = len(driver.changelog)
    driver.open()
    driver.drain()
    assert [key for key, _ in driver.changelog[written:] if key[:1] == rest.ROW] == []


def test_the_next_change_names_a_segment_that_is_no_more() -> None:
    """Also after a restart in the middle of the moves, and in the sizes until then."""
    gone = reworded(SPENDERS, segments=[{"segment": "huge", "when": "spend >= 500"}], otherwise="any")
    log = logs(ordered(20), 20)
    driver = Driver(plan_of(SPENDERS), log, plans=Published(), limit=6).finish()
    log[CONTROL, 0] += [Record(1, publish(1, 30, gone)), Record(2, control(40)[0].value)]
    driver.offer((CONTROL, 0), 2)
    for source in log:
        driver.prove(source)
    sizes = []
    for _ in range(8):
        driver.step()
        sizes.append(driver.shard.sizes()["spenders"])
        driver.open()
        driver.offer((CONTROL, 0), 2)
        for source in log:
            driver.prove(source)
    driver.drain()
    assert any(0 < found.get("small", 0) < 20 and found["any"] for found in sizes)
    found = [(c.from_segment, c.to_segment) for c in driver.changes if c.at_ms == 30]
    assert sorted(found) == [("small", "any")] * 20


def test_new_features_begin_empty_and_say_so() -> None:
    """``warming`` names them from their instant on: until their window is full, or for good where they have none."""
    more = reworded(
        SPENDERS,
        features=SPENDERS["features"]
        | {"near": {"count": "Order Completed", "within": "30ms"}, "orders": {"count": "Order Completed"}},
        segments=[{"segment": "many", "when": "orders >= 1 and near >= 1"}],
    )
    log = logs([*ordered(1), event("c0", "Order Completed", 60, total=1)])
    log[CONTROL, 0] = control(publish(1, 50, more), 70)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    for _ in range(2):  # also after a restart
        known = driver.shard.describe("c0")
        assert known is not None
        assert known["warming"] == {"near": wire_time(50), "orders": wire_time(50)}
        assert (known["features"]["orders"], known["features"]["spend"]) == (1, 31)
        driver.open()
    log[CONTROL, 0].append(Record(2, control(80)[0].value))
    known = driver.finish().shard.describe("c0")
    assert known is not None
    assert known["warming"] == {"orders": wire_time(50)}


def test_a_feature_that_was_dropped_comes_back_empty_also_from_rest() -> None:
    """Who did nothing meanwhile has the old layout at rest, with what it knew: that must not come back for them."""
    counts = reworded(
        SPENDERS, features={"n": {"count": "Order Completed"}}, segments=[{"segment": "one", "when": "n == 1"}]
    )
    log = logs([*ordered(3), event("c1", "Order Completed", 35, total=1)])
    log[CONTROL, 0] = control(publish(1, 20, counts), publish(2, 40, SPENDERS), 60)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    values = []
    for _ in range(2):
        values.append([(driver.shard.describe(f"c{k}") or {})["features"]["spend"] for k in range(3)])
        driver.open()
    assert values == [[0, 0, 0]] * 2


def test_a_shard_waits_for_a_plan_and_says_so() -> None:
    """Nothing from the instant on is applied before the definitions are compiled; what comes before it is."""
    log = logs(
        [*ordered(2), event("c0", "Order Completed", 40, total=60), event("c1", "Order Completed", 20, total=60)]
    )
    log["purchases", 0].sort(key=lambda record: orjson.loads(record.value or b"")["timestamp"])
    log["purchases", 0] = [Record(k, record.value) for k, record in enumerate(log["purchases", 0])]
    log[CONTROL, 0] = control(publish(1, 30, LOWER), 50)
    driver = Driver(plan_of(SPENDERS), log, plans=Published(delay=10**9))
    for source, records in log.items():
        driver.offer(source, len(records))
        driver.prove(source)
    while driver.step():
        pass
    assert driver.shard.blocked_by() == ("compiling", 1)
    assert not driver.shard.more_due()
    assert [c.at_ms for c in driver.changes if c.at_ms > 10] == [20]
    assert driver.shard.waiting(("purchases", 0)) == 1
    driver.plans = driver.shard.plans = Published()
    driver.drain()
    assert driver.shard.blocked_by() is None
    assert [(c.at_ms, c.definition) for c in driver.changes if c.at_ms > 20] == [
        (30, plan_of(LOWER).definitions.dimensions[0].version)
    ]


def test_definitions_without_a_plan_are_left_out_and_counted() -> None:
    """A broken version never replaces a good one; the next good one does."""
    broken = DefinitionsVersion(1, 30, {"a.yaml": "dimension: a\nsegments: 7\n"}).to_json()
    log = logs(ordered(10))
    log[CONTROL, 0] = control(broken, publish(2, 40, LOWER), 60)
    driver = Driver(plan_of(SPENDERS), log, plans=Published()).finish()
    assert driver.shard.versions.skipped == 1
    assert [(c.subject, c.at_ms) for c in driver.changes if c.cause == "definition"] == [("c0", 40)]
    assert (driver.shard.memory.own.published, driver.shard.versions.definitions) == (2, DefinitionsVersion.from_json(
        publish(2, 40, LOWER)))  # fmt: skip


def test_cuts_move_only_who_compares_with_them() -> None:
    """Unknown cuts compare false; a version moves its dimension at its instant, and one that says the same nobody."""
    plan = plan_of(VALUE, SPENDERS)
    spend = next(m for m in plan.measures if "spend" in m)
    log = logs(ordered(10))
    versions = [CutsVersion(k + 1, 20 + 10 * k, [(spend, 0.8, v)]) for k, v in enumerate((20e6, 20e6, 40e6))]
    log[CONTROL, 0] = control(*(v.to_json() for v in versions), 60)
    changes = Driver(plan, log, plans=Published()).finish().changes
    moved = [(c.subject, c.dimension, c.to_segment, c.at_ms, c.cause) for c in changes if c.at_ms > 10]
    assert moved == [("c0", "value", "top", 20, "model"), ("c0", "value", "rest", 40, "model")]


def test_files_that_changed_while_the_shard_was_closed_are_not_known_to_have_been_published() -> None:
    """They hold from where the shard stopped on; published ones win over files at the next opening."""
    driver = Driver(plan_of(SPENDERS), logs(ordered(10), 20), plans=Published()).finish()
    driver.open(plan_of(LOWER))
    driver.drain()
    assert [(c.subject, c.at_ms) for c in driver.changes if c.cause == "definition"] == [("c0", 20)]
    driver.log[CONTROL, 0] += [Record(1, publish(1, 30, SPENDERS)), Record(2, control(40)[0].value)]
    driver.finish()
    for _ in range(2):
        assert (
            driver.shard.plan.definitions.dimensions[0].version == plan_of(SPENDERS).definitions.dimensions[0].version
        )
        assert [(c.subject, c.at_ms) for c in driver.changes if c.cause == "definition"] == [("c0", 20), ("c0", 30)]
        driver.open()
        driver.drain()

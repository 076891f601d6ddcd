"""Scenes for tests of versions: histories, definitions that share some of their parts, and versions of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from stream.engine.versions import CutsVersion, DefinitionsVersion
from stream.plan.plan import Plan
from tests.shards import CONTROL, Driver, Log, Published, Record, files_of, logs, plan_of, told, wire_time
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

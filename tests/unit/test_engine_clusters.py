"""Clusters in force: who is in which, by margin and least stay, through versions, restarts and other definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from stream.cluster.model import ClusterModel
from stream.engine.versions import DefinitionsVersion
from stream.events.routing import topic_of
from tests.shards import CONTROL, Driver, Log, Published, event, files_of, logs, plan_of, told
from tests.shop import WISH, with_versions

EVERY, UNTIL = 20, 400
VECTOR = {"orders": "orders", "ago": "ago / 10ms"}


def clusters(**more: Any) -> dict[str, Any]:
    """A learned dimension of at most three clusters; ``stay`` is a key of the dimension."""
    stay = {"stay": more.pop("stay")} if "stay" in more else {}
    return {
        "dimension": "cluster",
        "features": {"orders": {"count": "Order Completed"}, "ago": {"since": "Order Completed"}},
        "learn": {"clusters": 3, "every": f"{EVERY}ms", "vector": VECTOR, **more},
        **stay,
    }


def version(number: int, effective: int, centres: Mapping[int, Sequence[float]], places: Sequence[int] = ()) -> bytes:
    """Clusters by id, at these centres and in these places."""
    return ClusterModel(
        "cluster", number, effective, tuple(VECTOR), (1.0, 2.0), (2.0, 3.0), tuple(tuple(c) for c in centres.values()),
        tuple(f"name {i}" for i in centres), 1, {}, ids=tuple(centres), slots=tuple(places),
    ).to_json()  # fmt: skip


def histories(seed: int, customers: int = 5) -> list[dict[str, Any]]:
    """Events of some customers in order of time."""
    random = Random(seed)
    found = []
    for k, t in enumerate(sorted(random.randrange(200) for _ in range(12 * customers))):
        name = random.choice(["Order Completed", "Product Viewed"])
        found.append(event(f"c{random.randrange(customers)}", name, t, product_id="p", id=f"m{k}"))
    return found


def versions(seed: int) -> list[bytes]:
    """Clusters that come, go and wander; a place that was left is given again two versions later."""
    random = Random(seed)
    made, alive, fresh = [], {0: 0}, 1
    rested: dict[int, int] = {}
    centres: dict[int, list[float]] = {}
    for number in range(1, 6):
        if number > 1 and random.random() < 0.3:  # drawn the same
            made.append(version(number, 25 * number + random.randrange(10), centres, list(alive.values())))
            continue
        left = [i for i in alive if number > 1 and random.random() < 0.3]
        for i in left[: len(alive) - 1]:
            rested[alive.pop(i)] = number
        free = [p for p in range(6) if p not in alive.values() and rested.get(p, -9) < number - 1]
        while len(alive) < 3 and random.random() < 0.7:
            alive[fresh] = free.pop(random.randrange(len(free)))
            fresh += 1
        centres = {i: [random.uniform(-2, 3), random.uniform(-2, 3)] for i in alive}
        made.append(version(number, 25 * number + random.randrange(10), centres, list(alive.values())))
    return made


@dataclass
class Plainly:
    """What one customer goes through, looked at every millisecond."""

    margin: float
    stay: int
    models: list[ClusterModel]
    events: list[tuple[int, str]]
    orders: int = 0
    ordered: int | None = None
    seen: int = 0
    here: int | None = None
    entered: int = 0
    moves: list[tuple[int, str, int | None, int]] = field(default_factory=list)

    def run(self) -> list[tuple[int, str, int | None, int]]:
        """All changes: instant, cause, from which id, to which."""
        begun = False
        for t in range(UNTIL + 1):
            model = next((m for m in reversed(self.models) if m.effective <= t), None)
            if begun and any(m.effective == t for m in self.drawn):
                self.judge(t, model, "model")
            if begun and self.is_look(t):
                self.judge(t, model, "deadline")
            for name in sorted((name for at, name in self.events if at == t), key=topic_of):
                begun = True
                if name == "Order Completed":
                    self.orders, self.ordered = self.orders + 1, t
                self.seen = t
                self.judge(t, model, "event")
        return self.moves

    @property
    def drawn(self) -> list[ClusterModel]:
        """The versions that differ from the one before."""
        pairs = zip([None, *self.models], self.models, strict=False)
        return [one for before, one in pairs if before is None or before.centroids != one.centroids]

    def is_look(self, t: int) -> bool:
        """Whether anything may have changed by time alone."""
        looks = [self.seen + EVERY * 2**k for k in range(8)]
        return t in looks or (self.here is not None and self.stay > 0 and t == self.entered + self.stay)

    def judge(self, t: int, model: ClusterModel | None, cause: str) -> None:
        """Move to the nearest centre, where that is allowed."""
        if model is None:
            return
        found = distances(model, [float(self.orders), math.nan if self.ordered is None else (t - self.ordered) / 10])
        best = min(sorted(found, key=lambda i: model.places[model.numbers.index(i)]), key=lambda i: found[i])
        if self.here in found:
            near = found[best] < (1 - self.margin) * found[self.here]
            if not near or (self.stay and t < self.entered + self.stay):
                return
        if best != self.here:
            self.moves.append((t, cause, self.here, best))
            self.here, self.entered = best, t


def distances(model: ClusterModel, vector: list[float]) -> dict[int, float]:
    """Id -> how far its centre is."""
    scaled = [0.0 if math.isnan(x) else (x - m) / s for x, m, s in zip(vector, model.mean, model.scale, strict=True)]
    return {
        i: math.sqrt(sum((x - c) ** 2 for x, c in zip(scaled, row, strict=True)))
        for i, row in zip(model.numbers, model.centroids, strict=True)
    }


def moves_of(driver: Driver) -> Iterator[tuple[str, list[tuple[int, str, int | None, int]]]]:
    """Of each customer, the changes of cluster: instant, cause, ids."""
    found: dict[str, list[Any]] = {}
    for c in driver.changes:
        if c.dimension == "cluster":
            ids = [None if s is None else int(s.removeprefix("cluster-")) for s in (c.from_segment, c.to_segment)]
            found.setdefault(c.subject, []).append((c.at_ms, c.cause, *ids))
    yield from found.items()


def played(seed: int, margin: str, stay: int) -> tuple[Log, dict[str, Any], list[bytes]]:
    """A history with versions, and the dimension."""
    made = versions(seed)
    return with_versions(logs(histories(seed), UNTIL), *made), clusters(margin=margin, stay=f"{stay}ms"), made


@pytest.mark.parametrize("seed", range(24))
def test_nearest_by_the_margin_and_after_the_least_stay(seed: int) -> None:
    """Who moves when, and why, is what looking at every customer at every millisecond says."""
    share, stay = ((0.0, 1), (0.1, 7), (0.4, 30))[seed % 3]
    log, dimension, made = played(seed, f"{share:.0%}", stay)
    driver = Driver(plan_of(dimension, WISH), log).finish()
    assert (driver.shard.versions.late, driver.shard.versions.skipped) == (0, 0)
    models = [ClusterModel.from_json(one) for one in made]
    events: dict[str, list[tuple[int, str]]] = {}
    for one in histories(seed):
        t = next(r for r in range(201) if one["timestamp"].endswith(f"{r // 1000:02d}.{r % 1000:03d}Z"))
        events.setdefault(one["userId"], []).append((t, one["event"]))
    expected = {who: Plainly(share, stay, models, own).run() for who, own in events.items()}
    assert dict(moves_of(driver)) == {who: moves for who, moves in expected.items() if moves}


@pytest.mark.parametrize("seed", range(12))
def test_batches_and_restarts_change_nothing(seed: int) -> None:
    """Also in the middle of a drain, where rows have moved to a version that is not in force for all."""
    log, dimension, made = played(seed, "10%", 7)
    plan = plan_of(dimension, WISH)
    plain = Driver(plan, log).finish()
    driver = Driver(plan, log, limit=1)
    driver.offer((CONTROL, 0), len(made))
    wandered = driver.wander(Random(seed), restarts=0.1, most=5)
    assert told(wandered.changes) == told(plain.changes)
    assert wandered.shard.sizes() == plain.shard.sizes()


def test_evidence_tells_how_far_and_which_parts_decided() -> None:
    """Distances under the version that judged, and the parts by how much they add to the difference."""
    made = [version(4, 1, {7: [0, 0], 9: [4, 0]}, [5, 1]), version(5, 50, {9: [4, 0], 12: [0, -1]}, [1, 0])]
    events = [event("ann", "Order Completed", t, id=str(t)) for t in (10, 11, 12, 13, 14, 15)]
    events += [event("bob", "Order Completed", 10, id="b")]
    driver = Driver(plan_of(clusters(), WISH), with_versions(logs(events, 60), *made)).finish()
    ann, bob = ([c for c in driver.changes if c.subject == who and c.dimension == "cluster"] for who in ("ann", "bob"))
    first, moved = (c.evidence["clusters"] for c in ann)
    assert first == {
        "model": 4, "from": None, "to": {"id": 7, "name": "name 7", "distance": 0.666667}, "moved_by": []
    }  # fmt: skip
    assert (moved["from"]["id"], moved["to"]["id"], moved["model"]) == (7, 9, 4)
    assert moved["moved_by"] == [{"part": "orders", "value": 6.0}]
    assert moved["to"]["distance"] == pytest.approx(math.hypot(2.5 - 4, 2 / 3), rel=1e-5)
    died = bob[1]
    assert (died.cause, died.from_segment, died.to_segment, died.at_ms) == ("model", "cluster-7", "cluster-12", 50)
    assert died.evidence["clusters"]["from"] == {"id": 7, "name": "name 7", "distance": None}
    assert died.evidence["clusters"]["model"] == 5
    assert died.evidence["orders"] == 1


def test_a_version_that_draws_the_same_moves_nobody() -> None:
    """It only says who is called how; but for that, customers near the margin would be asked again."""
    made = [version(1, 5, {0: [0, 0], 1: [4, 0]}), version(2, 30, {0: [0, 0], 1: [4, 0]})]
    driver = Driver(plan_of(clusters(), WISH), with_versions(logs(histories(3), 25), *made)).finish()
    driver.offer((CONTROL, 0), 9)
    driver.step()
    assert int(driver.shard.versions.slots.moves[1]) == 0


def test_a_place_of_another_cluster_is_refused() -> None:
    """Rows in it would be taken for the new one's."""
    made = [version(1, 5, {0: [0, 0], 1: [4, 0]}), version(2, 30, {0: [0, 0], 2: [4, 0]})]
    driver = Driver(plan_of(clusters(), WISH), with_versions(logs(histories(3), UNTIL), *made)).finish()
    assert driver.shard.versions.skipped == 1
    assert set(driver.shard.sizes()["cluster"]) == {"cluster-0", "cluster-1"}


def test_clusters_outlive_other_definitions_of_them() -> None:
    """Found by name, whatever place they have; a rule that takes their dimension over says where people came from."""
    made = [version(1, 5, {41: [0, 0], 7: [1, 0], 23: [0, 2]}, [4, 0, 5])]
    driver = Driver(plan_of(clusters(), WISH), with_versions(logs(histories(5), UNTIL), *made)).finish()
    sizes, before = driver.shard.sizes()["cluster"], len(driver.changes)
    assert set(sizes) == {"cluster-41", "cluster-7", "cluster-23"}
    driver.open(plan_of(clusters(margin="90%")))
    driver.drain()
    assert driver.shard.sizes()["cluster"] == sizes
    assert len(driver.changes) == before
    rule = {
        "dimension": "cluster",
        "features": clusters()["features"],
        "segments": [{"segment": "a", "when": "orders >= 0"}],
    }
    driver.open(plan_of(rule, WISH))
    driver.drain()
    moved = driver.changes[before:]
    assert {c.to_segment for c in moved} == {"a"}
    assert {c.from_segment for c in moved} == {segment for segment, n in sizes.items() if n}


def typical(driver: Driver, segment: str, most: int) -> list[dict[str, Any]]:
    """What is found at the end."""
    *parts, found = driver.shard.typical(segment, most)
    assert not any(parts)
    assert found is not None
    return found


def test_typical_members_are_those_nearest_to_the_centre() -> None:
    """As of the clock, by the version in force; of what nobody is in there are none."""
    made = [version(1, 5, {41: [0, 0], 7: [1, 0], 23: [0, 2]}, [4, 0, 5])]
    log = with_versions(logs(histories(8, customers=40), UNTIL), *made)
    driver = Driver(plan_of(clusters(), WISH), log).finish()
    model = ClusterModel.from_json(made[0])
    for segment, size in driver.shard.sizes()["cluster"].items():
        told = typical(driver, segment, 100)
        assert len(told) == size
        number = int(segment.removeprefix("cluster-"))
        for one in told:
            vector = [math.nan if x is None else x for x in one["vector"].values()]
            assert one["distance"] == pytest.approx(distances(model, vector)[number], rel=1e-4)
            seen = driver.shard.describe(one["customer"])
            assert seen is not None
            assert seen["segments"]["cluster"] == segment
            assert one["vector"]["orders"] == seen["features"]["orders"]
        assert [one["distance"] for one in told] == sorted(one["distance"] for one in told)
        assert typical(driver, segment, 2) == told[:2]
    assert typical(driver, "cluster-9", 5) == []


def test_typical_members_are_looked_for_in_parts_while_the_shard_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events have their turn between two parts; where another version came into force meanwhile, it begins anew."""
    monkeypatch.setattr("stream.engine.typical.SLICE", 4)
    made = [version(1, 5, {0: [0, 0], 1: [1, 0]}), version(2, UNTIL // 2, {0: [0, 1], 1: [2, 0]})]
    driver = Driver(plan_of(clusters(), WISH), with_versions(logs(histories(8, customers=40), UNTIL), *made))
    for source, records in driver.log.items():
        driver.offer(source, len(records) if source == (CONTROL, 0) else len(records) // 2)
        driver.prove(source, 0)
    driver.drain()
    (segment, size) = max(driver.shard.sizes()["cluster"].items(), key=lambda item: item[1])
    before = typical(driver, segment, 100)
    looking = driver.shard.typical(segment, 100)
    parts = [next(looking)]
    driver.finish()
    *more, found = looking
    assert len(parts) + len(more) > size // 4
    assert found == typical(driver, segment, 100) != before


@pytest.mark.parametrize("restarts", [0.0, 0.2])
def test_clusters_outlive_definitions_that_are_published(restarts: float) -> None:
    """While the shard runs: places keep their clusters under the next plan, and a rule says where people came from."""
    made = [version(1, 5, {41: [0, 0], 7: [1, 0], 23: [0, 2]}, [4, 0, 5])]
    rule = {
        "dimension": "cluster",
        "features": clusters()["features"],
        "segments": [{"segment": "a", "when": "orders >= 0"}],
    }
    others = [DefinitionsVersion(1, 210, files_of(clusters(margin="99%"))), DefinitionsVersion(2, 300, files_of(rule))]
    log = with_versions(logs(histories(5), UNTIL), *made, *(one.to_json() for one in others))
    driver = Driver(plan_of(clusters(), WISH), log, limit=3, plans=Published())
    driver.wander(Random(2), restarts=restarts)
    last: dict[str, str | None] = {}
    for c in (c for c in driver.changes if c.dimension == "cluster"):
        assert c.from_segment == last.get(c.subject)
        last[c.subject] = c.to_segment
        assert c.to_segment in {"cluster-41", "cluster-7", "cluster-23"} or (c.cause, c.at_ms) == ("definition", 300)
    assert set(last.values()) == {"a"}


def test_what_was_due_before_a_version_is_told_by_the_one_before_it() -> None:
    """Found: where the clock leapt over a version that moved nobody, deadlines from before it named that version."""
    centres = {0: [0, -1], 1: [0, 3]}
    made = [version(1, 5, centres), version(2, 200, centres), version(3, 300, centres)]
    log = with_versions(logs([event("ann", "Order Completed", 10, id="a")], UNTIL), *made)
    driver = Driver(plan_of(clusters(), WISH), log).finish()
    moved = [c for c in driver.changes if c.dimension == "cluster" and c.cause == "deadline"]
    assert [(c.at_ms, c.evidence["clusters"]["model"]) for c in moved] == [(90, 1)]


@pytest.mark.parametrize("restarts", [0.0, 0.2])
def test_clusters_take_a_dimension_over_from_more_rules_than_they_have_places(restarts: float) -> None:
    """Who comes out of a segment of the former definitions has no old centre, and is told like anyone else."""
    made = [version(1, 5, {41: [0, 0], 7: [1, 0], 23: [0, 2]}, [4, 0, 5])]
    rules = [{"segment": f"{k} orders", "when": f"orders == {k}"} for k in range(12)]
    rule = {"dimension": "cluster", "features": clusters()["features"], "segments": rules}
    others = [DefinitionsVersion(1, 210, files_of(rule)), DefinitionsVersion(2, 300, files_of(clusters()))]
    log = with_versions(logs(histories(5), UNTIL), *made, *(one.to_json() for one in others))
    driver = Driver(plan_of(clusters(), WISH), log, limit=3, plans=Published())
    driver.wander(Random(2), restarts=restarts)
    back = [c for c in driver.changes if c.dimension == "cluster" and c.at_ms == 300]
    assert len(back) == 5
    for c in back:
        assert (c.from_segment or "").endswith(" orders")
        assert c.evidence["clusters"]["from"] is None
        assert c.evidence["clusters"]["to"]["id"] in {41, 7, 23}
        assert c.evidence["clusters"]["moved_by"] == []


def test_what_is_counted_are_clusters_and_not_what_stands_behind_their_places() -> None:
    """Where fewer clusters are asked for, segments of former definitions have the codes behind the places."""
    made = [version(1, 5, {41: [0, 0], 7: [1, 0], 23: [0, 2]}, [4, 0, 5])]
    driver = Driver(plan_of(clusters(), WISH), with_versions(logs(histories(5), UNTIL), *made)).finish()
    driver.open(plan_of(clusters(clusters=1), WISH))
    driver.drain()
    assert set(driver.shard.sizes()["cluster"]) <= {"cluster-41", "cluster-7", "cluster-23"}

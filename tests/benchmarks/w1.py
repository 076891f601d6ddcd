"""W1, the common task: events, money and last time of every customer, with a changelog."""

from __future__ import annotations

from collections.abc import Mapping

from stream.app import bootstrap
from stream.app.definition_files import read_definitions
from stream.engine import rest
from stream.settings import App, Settings
from tests.benchmarks import kafka, rivals
from tests.benchmarks.events import Events, Totals
from tests.benchmarks.ground import Ground
from tests.benchmarks.ours import DEFINITIONS, Ours, Speed, speed
from tests.benchmarks.results import OURS
from tests.conftest import REPOSITORY

PART = "w1"
WHAT = "events/s"
COST = "processor time an event, us"


def run(ground: Ground) -> None:
    """All systems, one after the other, in every round."""
    many = rivals.RAW.events(ground)
    expected = {events: events.totals() for events in (many, *(peer.events(ground) for peer in rivals.TOTALS))}
    for _ in range(ground.rounds):
        _raw(ground, many)
        _ours(ground, many, expected[many])
        for peer in rivals.TOTALS:
            events = peer.events(ground)
            ground.say(f"w1: {peer.name}")
            done = peer.run(ground, events, warm=events.count // 5)
            note_peer(ground, PART, peer.name, done)
            found = rivals.read_totals(ground, peer.name, done)
            ground.results.check(PART, peer.name, differs(found, expected[events]))
            kafka.delete_topics(ground.broker, done.app)


def _raw(ground: Ground, events: Events) -> None:
    ground.say(f"w1: {rivals.RAW.name}")
    done = rivals.RAW.run(ground, events, warm=events.count // 5)
    note_peer(ground, PART, rivals.RAW.name, done)
    spent = sum(spent for _, spent, _ in events.totals().values())
    right = f'"events": {events.count}, "spent": {spent}' in done.said
    ground.results.check(PART, rivals.RAW.name, None if right else f"it said {done.said[-200:]}")


def _ours(ground: Ground, events: Events, expected: Mapping[str, Totals]) -> None:
    ground.say("w1: segstream")
    topic = ground.topic_of(events)
    ours = Ours(ground, ground.name("segstream-w1"), DEFINITIONS / "w1", inputs={"clickstream": topic})
    ours.prepare()
    done = speed(ours, [topic], events.count // 5, events.count)
    note_ours(ground, PART, done)
    ground.results.check(PART, OURS, done.wrong(events.count) or differs(read_rows(ours), expected))
    ours.finish()


def note_ours(ground: Ground, part: str, done: Speed) -> None:
    """The figures of segstream."""
    ground.results.add(part, OURS, WHAT, done.rate, done.peak)
    ground.results.add(part, OURS, COST, done.cost)


def note_peer(ground: Ground, part: str, name: str, done: rivals.Run) -> None:
    """The same figures of a peer."""
    ground.results.add(part, name, WHAT, done.told.rate, done.peak)
    ground.results.add(part, name, COST, done.told.cost)


def read_rows(ours: Ours) -> dict[str, Totals]:
    """What segstream has in its changelog, read back into a shard as a worker would do it."""
    settings = Settings(app=App(data_dir=REPOSITORY / ".segstream"))
    plan = bootstrap.make_plan(read_definitions(ours.definitions), settings)
    shard = bootstrap.make_shard(settings, plan, 0, [("", 0)], everyone=True)
    found = kafka.latest(ours.ground.broker, [ours.changelog])
    for kind in (rest.LAYOUT, rest.ROW):  # the layout says what is in the rows
        records = {key: value for key, value in found.items() if key[:1] == kind}
        shard.restore(list(records), list(records.values()))
    rows = shard.rows
    (dimension,) = plan.definitions.dimensions
    base = {name: plan.layout.base[accumulator] for name, accumulator in dimension.features.items()}
    counts, last = (rows.table.ints[: len(rows), base[name]].tolist() for name in ("events", "since_seen"))
    spent = (rows.table.floats[: len(rows), base["spend"]] / 1_000_000).tolist()  # money is kept in micros
    return {key.decode(): (counts[i], spent[i], last[i]) for i, key in enumerate(rows.keys)}


def differs(found: Mapping[str, Totals], expected: Mapping[str, Totals]) -> str | None:
    """How results differ from what they must be; None where they do not."""
    wrong = [customer for customer, totals in expected.items() if found.get(customer) != totals]
    more = found.keys() - expected.keys()
    if not wrong and not more:
        return None
    one = sorted(wrong)[0] if wrong else min(more)
    return (
        f"{len(wrong):,} customers are wrong, {len(more):,} too many; {one}: {found.get(one)}, not {expected.get(one)}"
    )

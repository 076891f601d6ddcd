"""Journeys of real customers: what the README's tables show is what a replay of the samples gives."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import pytest

from stream.app.bootstrap import make_decoder, make_shard
from stream.app.definition_files import read_definitions
from stream.engine.change import Change
from stream.events.instant import iso
from stream.history.mapping import load_mapping
from stream.history.reader import read_events
from stream.history.replay import SOURCES, Replay
from stream.plan.definitions import Definitions
from stream.plan.plan import twin_plan
from stream.settings import load_settings
from tests.conftest import REPOSITORY
from tests.samples import mapping_file, sample

README = (REPOSITORY / "README.md").read_text()


@cache
def replayed(name: str) -> list[Change]:
    """The changes of the dimensions that the tables speak of."""
    path = sample(f"{name}-sample.csv")
    settings = load_settings(REPOSITORY / "config")
    wanted = ("journey", "aida", "cart", "browse")
    found = read_definitions(REPOSITORY / "config" / "segments").dimensions
    plan = twin_plan(Definitions(tuple(d for d in found if d.name in wanted)))
    replay = Replay(make_shard(settings, plan, 0, SOURCES, everyone=True), make_decoder(settings, plan, replay=True))
    records = read_events([path], load_mapping(str(mapping_file(name))), sort=True)
    return [change for step in replay.run(records, None) for change in step.changes]


@pytest.mark.parametrize(("name", "column"), [("taobao", 1), ("rees46", 2)])
def test_the_table_of_stages_counts_who_was_ever_there(name: str, column: int) -> None:
    """Customers, by the stage of the journey that they entered at any time."""
    rows = re.search(r"\| Stage of `journey` \|.*?\n\|---.*?\n(.*?)\n\n", README, re.DOTALL)
    assert rows is not None
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[1].splitlines()]
    shown = {row[0]: int(row[column].replace(",", "")) for row in cells}
    entered = defaultdict(set)
    for change in replayed(name):
        entered["customers"].add(change.subject)
        if change.dimension == "journey":
            entered[str(change.to_segment)].add(change.subject)
    assert shown == {stage: len(entered[stage]) for stage in shown}
    assert set(shown) - {"customers"} == set(entered) - {"customers", "awareness"}


def test_the_table_of_one_customer_shows_their_changes() -> None:
    """Every move in the table is one that the replay made at that minute, and none of the journey is left out."""
    table = re.search(r"\| When \(UTC\) \|.*?\n\|---.*?\n(.*?)\n\n", README, re.DOTALL)
    assert table is not None
    shown = [
        (line.strip("|").split("|")[0].strip()[-5:], dimension, segment)
        for line in table[1].splitlines()
        for dimension, segment in re.findall(r"([a-z]+): (?:[a-z-]+ -> )?([a-z-]+)", line.split("|")[3])
    ]
    mine = [c for c in replayed("taobao") if c.subject == "999764"]
    made = [(iso(c.at_ms)[11:16], c.dimension, c.to_segment) for c in mine]
    assert set(shown) <= set(made)
    assert [one for one in shown if one[1] == "journey"] == [one for one in made if one[1] == "journey"]

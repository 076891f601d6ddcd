"""At risk on real purchases: the engine against dates worked out from the file alone, for every customer.

The rule, as config/segments/lifecycle.yaml has it: at risk when twice the usual gap has passed since the last order.
The usual gap is (last - first) / (n - 1), between 7 and 180 days, from the third order on; before that it is 45 days.
An instant is a whole millisecond, the first at which the rule holds.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from pathlib import Path

from stream.app.bootstrap import make_decoder, make_shard
from stream.app.definition_files import read_definitions
from stream.history.mapping import load_mapping
from stream.history.reader import read_events
from stream.history.replay import SOURCES, Replay
from stream.plan.definitions import Definitions
from stream.plan.plan import twin_plan
from stream.settings import load_settings
from tests.conftest import REPOSITORY
from tests.samples import mapping_file, sample

MS = timedelta(milliseconds=1)
DAY = Fraction(86_400_000)


def orders_by_customer(path: Path) -> dict[str, list[datetime]]:
    """The days of each customer's orders, read without any of the engine's code."""
    found: dict[str, list[datetime]] = defaultdict(list)
    for line in path.read_text().splitlines():
        customer, _, day, *_ = line.split()
        found[customer].append(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC))
    return found


def at_risk(orders: list[datetime], end: datetime) -> list[datetime]:
    """When the rule puts a customer at risk, up to the end."""
    found = []
    for n, last in enumerate(orders, start=1):
        gap = min(max(Fraction((last - orders[0]) // MS, n - 1), 7 * DAY), 180 * DAY) if n >= 3 else 45 * DAY
        after = orders[n] if n < len(orders) else None
        when = last + ceil(2 * gap) * MS
        if when <= end and (after is None or when <= after):
            found.append(when)
    return found


def engine_at_risk(path: Path) -> dict[str, list[datetime]]:
    """When the engine put each customer at risk."""
    config = REPOSITORY / "config"
    settings = load_settings(config)
    lifecycle = [d for d in read_definitions(config / "segments").dimensions if d.name == "lifecycle"]
    plan = twin_plan(Definitions(tuple(lifecycle)))
    shard = make_shard(settings, plan, 0, SOURCES, everyone=True)
    replay = Replay(shard, make_decoder(settings, plan, replay=True))
    found: dict[str, list[datetime]] = defaultdict(list)
    for step in replay.run(read_events([path], load_mapping(str(mapping_file("cdnow"))), sort=True), None):
        for change in step.changes:
            if change.to_segment == "at-risk":
                found[change.subject].append(datetime.fromtimestamp(change.at_ms / 1000, UTC))
    return found


def test_every_customer_is_at_risk_when_the_rule_says() -> None:
    """To the millisecond, and nobody else. Three of them on paper are in the last assertions."""
    path = sample("cdnow-sample.txt")
    orders = orders_by_customer(path)
    end = max(day for days in orders.values() for day in days)
    expected = {c: found for c, days in orders.items() if (found := at_risk(sorted(days), end))}
    engine = engine_at_risk(path)
    assert engine == expected
    # 00018 ordered once, on 4 January: no cadence, so 2 * 45 = 90 days later.
    assert engine["00018"] == [datetime(1997, 4, 4, tzinfo=UTC)]
    # 00004 ordered on 1 and 18 January: 90 days after the second; then on 2 August and 12 December (345 / 3 = 115 days
    # on average): 230 days later is after the end.
    assert engine["00004"] == [datetime(1997, 4, 18, tzinfo=UTC)]
    # 00114 ordered on 1 January (at risk on 1 April), on 1 May (30 July) and on 8 September: 250 / 2 = 125 days on
    # average, so 250 days later, on 16 May 1998; but an order came on 10 February.
    assert engine["00114"] == [datetime(1997, 4, 1, tzinfo=UTC), datetime(1997, 7, 30, tzinfo=UTC)]

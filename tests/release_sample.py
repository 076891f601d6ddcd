"""Writes what a release keeps at rest: ``python -m tests.release_sample > tests/data/release-VERSION.json``.

Done once for each release, and before each change of what is at rest, with the code of then; a test holds every later
one to reading it.  A sample is the whole changelog of a shard with everything in it (rows, names, layouts, versions in
force and to come, the shard's own row), what the release itself said of each customer, and what it made of the events
that came after.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson

from stream.engine.versions import CutsVersion, DefinitionsVersion
from tests.shards import CONTROL, Driver, Log, Published, Record, files_of, logs, plan_of_files
from tests.shop import BUSY, LIFE, WISH, history

SHARE: dict[str, Any] = {
    "dimension": "share",
    "features": {
        "spend": {"sum": "total", "of": "Order Completed"},
        "brand": {"latest": "brand", "of": "Product Viewed"},
    },
    "segments": [{"segment": "top", "when": "spend in top 40%"}, {"segment": "own", "when": 'brand == "Marlow"'}],
    "otherwise": "rest",
}
#: Published while the sample is made, and to come when it ends.
NOW, LATER = 60, 190
#: The events up to here are at rest, the others come after.
REST = 150


def files(later: bool) -> dict[str, str]:
    """The definitions: the last segment of a dimension is called otherwise later on."""
    return files_of(LIFE, BUSY, WISH, {**SHARE, "otherwise": "others"} if later else SHARE)


def parts() -> tuple[Log, Log]:
    """The events at rest, and all of them; two versions of the definitions and one of the cuts are published early."""
    events = history(11, customers=8, length=260)
    for k, one in enumerate(events):
        if one["event"] == "Product Viewed":
            brand = "Marlow" if k % 7 == 0 else ("Hearth", "H\u00f8rkram")[k % 2]
            one["properties"] = {**one["properties"], "brand": brand}
    early = [e for e in events if _ms(e) <= REST]
    (measure,) = plan_of_files(tuple(sorted(files(False).items()))).measures
    cuts = CutsVersion(1, 70, [(measure, 0.6, 12_000_000.0)])
    published: list[DefinitionsVersion | CutsVersion] = [
        DefinitionsVersion(1, NOW, files(False)),
        cuts,
        DefinitionsVersion(2, LATER, files(True)),
    ]
    found = []
    clocks = [logs([], until)[CONTROL, 0][0].value for until in (REST, 400)]
    for some, count in ((early, 1), (events, 2)):
        log = logs(some)
        values = [version.to_json() for version in published] + clocks[:count]
        log[CONTROL, 0] = [Record(k, value) for k, value in enumerate(values)]
        found.append(log)
    return found[0], found[1]


def _ms(event: Any) -> int:
    return int(event["timestamp"].split(":")[-1].rstrip("Z").replace(".", "")) if event["timestamp"] else 0


def opened(changelog: list[tuple[bytes, bytes | None]], log: Log) -> Driver:
    """A shard that begins with a changelog."""
    driver = Driver(plan_of_files(tuple(sorted(files(False).items()))), log, plans=Published())
    driver.changelog = list(changelog)
    driver.open()
    return driver


def said(driver: Driver) -> dict[str, Any]:
    """Segments and features of every customer."""
    known = sorted(driver.shard.rows.index)
    told = {key.decode(): driver.shard.describe(key.decode()) for key in known}
    found: dict[str, Any] = orjson.loads(orjson.dumps(told))
    return {customer: {k: one[k] for k in ("segments", "features")} for customer, one in found.items()}


def made(driver: Driver) -> list[list[Any]]:
    """The changes, field by field, by customer, but for what names the definitions."""
    fields = ("subject", "sequence", "dimension", "from_segment", "to_segment", "at_ms", "cause")
    return sorted([getattr(c, name) for name in fields] for c in driver.changes)


def sample() -> dict[str, Any]:
    """All of it."""
    early, whole = parts()
    before = opened([], early).finish()
    after = opened(before.changelog, whole).finish()
    return {
        "changelog": [[k.hex(), None if v is None else v.hex()] for k, v in before.changelog],
        "said": said(before),
        "changes": made(after),
        "then": said(after),
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(sample(), option=orjson.OPT_INDENT_2))

"""Publishing definitions: the next number, after those that are there, from one publisher at a time."""

from __future__ import annotations

from collections.abc import Mapping

from stream.engine.versions import DefinitionsVersion
from stream.errors import UserError
from stream.events.instant import iso
from stream.kafka.transaction import TransactionError
from stream.learners.control import Published, read_published
from stream.learners.learner import LearnerSettings, publish, publisher


def next_definitions(
    published: Published, files: Mapping[str, str], effective: int, note: str, *, backfilled: bool = False
) -> DefinitionsVersion:
    """The version after the published ones, in force from ``effective`` (event time in ms) on.

    Raises `UserError` where the newest has the same texts, or takes effect at that instant or later.
    """
    before = published.definitions[-1] if published.definitions else None
    if before is None:
        return DefinitionsVersion(1, effective, dict(files), note, backfilled)
    if before.files == files:
        raise UserError(f"nothing to publish: version {before.version} has these very definitions", exit_code=1)
    # Shards take them in the order of their numbers, so a later one cannot come into force before an earlier one.
    newest = max(version.effective for version in published.definitions)
    if effective <= newest:
        raise UserError(
            f"version {before.version} takes effect at {iso(newest)}, and this one must come after it: "
            "choose a later --at"
        )
    return DefinitionsVersion(before.version + 1, effective, dict(files), note, backfilled)


async def publish_definitions(
    where: LearnerSettings, files: Mapping[str, str], effective: int, note: str, *, backfilled: bool = False
) -> DefinitionsVersion:
    """Write the next version to the control topic. In this order: fence any other publisher, read, write."""
    producer = publisher(where, "publish")
    try:
        await producer.start()
        published = await read_published(where.consumer, where.control)
        version = next_definitions(published, files, effective, note, backfilled=backfilled)
        await publish(producer, where.control, version)
    except TransactionError as error:
        raise UserError(
            f"not known to be published ({error}); look with `segstream versions`, then try again", exit_code=1
        ) from error
    finally:
        await producer.stop()
    return version

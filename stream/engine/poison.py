"""Records of the changelog that cannot be read: set aside, each told once, and the shard goes on without them.

They are not ours, or were damaged: whoever can write to the topic can write anything.  Only what is still the latest
record of its key when all is read is set aside.  The shard's next transaction copies it to the dead letters (reason
``poison``) and puts in its place what mends it, as a rule a tombstone.  A customer whose row was set aside begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from stream.errors import UserError
from stream.events.batch import DeadLetter

REASON = "poison"
#: So many unreadable rows are an accident; more, and more than can be read, were written by something else.
ACCIDENT = 10
#: Most of a reason that is shown.
SHOWN = 80


@dataclass(frozen=True, slots=True)
class Poison:
    """A record of the changelog and where it is (offset, and its timestamp in ms); where it cannot be read, ``why``,
    and what is to be written in its place (None: a tombstone)."""

    key: bytes
    value: bytes | None
    offset: int
    timestamp: int
    why: str = ""
    instead: bytes | None = None

    def __str__(self) -> str:
        # Without the key, which may be a customer's id: the dead letter has it.
        return f"the record at offset {self.offset} cannot be read ({self.why[:SHOWN]})"


@dataclass(slots=True)
class SetAside:
    """The unreadable records of one shard's changelog, by key.  ``told``: those that were there when all was read."""

    topic: str
    partition: int
    told: list[Poison] = field(default_factory=list)
    _bad: dict[bytes, Poison] = field(default_factory=dict)
    _due: list[Poison] = field(default_factory=list)

    def add(self, record: Poison, why: str, instead: bytes | None = None) -> None:
        """One more, unless a later record of its key can be read."""
        self._bad[record.key] = replace(record, why=why, instead=instead)

    def mended(self, keys: Iterable[bytes]) -> None:
        """These keys have a record that can be read by now."""
        if self._bad:
            for key in keys:
                self._bad.pop(key, None)

    def of(self, letter: bytes) -> list[bytes]:
        """The keys of the unreadable records that begin with a letter."""
        return [key for key in self._bad if key[:1] == letter]

    def has(self, key: bytes) -> bool:
        """Whether the record of a key cannot be read."""
        return key in self._bad

    def describe(self, key: bytes) -> str:
        """Where it is, and why it cannot be read."""
        return f"in {self.topic}/{self.partition} {self._bad[key]}"

    def close(self, unreadable: int, readable: int) -> None:
        """All is read: what is bad now stays bad.  UserError where most rows are."""
        found = sorted(self._bad.values(), key=lambda record: record.offset)
        if unreadable > ACCIDENT and unreadable > readable:
            raise UserError(
                f"{unreadable} rows in {self.topic}/{self.partition} cannot be read, and {readable} can: first, "
                f"{found[0]}. Nothing was changed: start the release of segstream that wrote them",
                exit_code=1,
            )
        self.told, self._due, self._bad = found, list(found), {}

    @property
    def pending(self) -> bool:
        """Whether some are still to be written to the dead letters."""
        return bool(self._due)

    def write(self) -> tuple[list[DeadLetter], list[tuple[bytes, bytes | None]]]:
        """The letters, and what replaces the records in the changelog; once."""
        due, self._due = self._due, []
        place = (self.topic, self.partition)
        letters = [DeadLetter(REASON, *place, x.offset, x.key, x.value, x.timestamp, x.why) for x in due]
        return letters, [(x.key, x.instead) for x in due if x.key]

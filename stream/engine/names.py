"""The names of texts: in a row a category or a country is a hash; here is what people call it.

A shard gives numbers to the texts it meets, up to a limit, and keeps number and text in its changelog for good.  The
names are shown in evidence and features, and packed rows write the number where they would need eight bytes for the
hash.  A text beyond the limit is shown as ``#`` and its hash, and is otherwise treated the same.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from stream.events.text import text_hash
from stream.features import pool
from stream.plan.inputs import EVENT, GIVEN, OF_TIME, read_by
from stream.plan.plan import Plan

#: The most texts that a shard keeps names of.
MOST_NAMES = 1 << 16
#: The longest text that is kept, in characters.
LONGEST_NAME = 200
#: So many names in a row may be missing where others behind them are there.
MOST_LOST = 10

#: What parts of the local time are called.
OF_CALENDAR = {
    "hour": [f"{hour:02d}" for hour in range(24)],
    "weekday": [day.lower() for day in calendar.day_name],
    "month": [month.lower() for month in calendar.month_name if month],
}


class Names:
    """Texts by hash and by number; ``table`` and ``hashes`` are what the packing of rows reads."""

    def __init__(self, plan: Plan | None = None) -> None:
        #: texts that come from the definitions alone
        self.given = given_texts(plan) if plan is not None else {}
        #: hash -> text
        self.texts: dict[int, str] = {}
        #: as :func:`stream.features.pool.slot` reads it: hash, number + 1
        self.table: NDArray[np.int64] = np.zeros((64, 2), np.int64)
        #: by number
        self.hashes: NDArray[np.int64] = np.zeros(32, np.int64)
        self._written = 0
        #: number -> text, of those read back before the ones with lower numbers
        self._early: dict[int, str] = {}
        #: numbers whose texts were lost, until this is written
        self._lost: list[int] = []

    def __len__(self) -> int:
        return len(self.texts)

    def text(self, code: int) -> str | None:
        """The text with this hash, where it is known."""
        return self.texts.get(code) or self.given.get(code)

    def under(self, plan: Plan) -> Names:
        """The same texts, and those of another plan."""
        self.given = given_texts(plan)
        return self

    def learn(self, texts: Mapping[int, str]) -> None:
        """Take up texts by hash, where they are new and there is room."""
        for code, text in texts.items():
            if code not in self.texts and len(self.texts) < MOST_NAMES and len(text) <= LONGEST_NAME:
                self._add(code, text)

    def _add(self, code: int, text: str) -> None:
        number = len(self.texts)
        self.texts[code] = text
        if number == len(self.hashes):
            self.hashes = np.concatenate((self.hashes, np.zeros(number, np.int64)))
        self.hashes[number] = code
        if 4 * (number + 1) > len(self.table):
            self.table = np.zeros((2 * len(self.table), 2), np.int64)
            for k in range(number):
                self._enter(int(self.hashes[k]), k)
        self._enter(code, number)

    def _enter(self, code: int, number: int) -> None:
        self.table[pool.slot(self.table, code)] = code, number + 1

    def new(self) -> list[tuple[int, str]]:
        """Number and text of those that were learned since this was asked last, and at first of what was given."""
        self.learn(self.given)
        numbers = [*self._lost, *range(self._written, len(self.texts))]
        self._lost, self._written = [], len(self.texts)
        return [(number, self.texts[int(self.hashes[number])]) for number in numbers]

    def known(self, number: int) -> str | None:
        """The text with a number; None where there is none."""
        return self.texts[int(self.hashes[number])] if number < len(self.texts) else self._early.get(number)

    def restore(self, number: int, text: str) -> None:
        """Take a text back under the number that it was given, in any order: one that was mended is written anew, and
        comes behind the others once the topic is compacted.  ValueError where the number, or the text, has another."""
        code = text_hash(text)
        if number >= MOST_NAMES or self.known(number) not in (None, text):
            raise ValueError(f"text {number} has another name")
        if number >= len(self.texts):
            if code in self.texts:
                raise ValueError(f"the name of text {number} is that of another")
            self._early[number] = text
            self._settle()

    def close(self, unreadable: Iterable[int] = ()) -> None:
        """All is read: a number that has no text is that of one that is lost, and a name of its own takes its place,
        where the name was there but ``unreadable``, or others behind it are there."""
        for number in sorted({*self._early, *unreadable}):
            if number >= MOST_NAMES or number - len(self.texts) > MOST_LOST:
                break  # nothing that a shard wrote
            while len(self.texts) <= number:
                text = f"lost text {len(self.texts)}"
                self._lost.append(len(self.texts))
                self._add(text_hash(text), text)
                self._settle()
        self._early = {}
        self._written = len(self.texts)

    def _settle(self) -> None:
        """Those whose turn has come."""
        while (text := self._early.get(len(self.texts))) is not None and text_hash(text) not in self.texts:
            del self._early[len(self.texts)]
            self._add(text_hash(text), text)
        self._written = len(self.texts)


def given_texts(plan: Plan) -> dict[int, str]:
    """By hash, the texts that no event brings: labels in the definitions, names of events, of days and of months."""
    found: set[str] = set()
    for kind, path in read_by(r for a in plan.layout.base for r in a.reactions().values()):
        if kind == "text" and path.startswith(GIVEN):
            found.add(path.removeprefix(GIVEN))
        elif kind == "text" and path == EVENT:
            found |= plan.inputs.codes.keys()
        elif kind == "text" and path.startswith(OF_TIME):
            found |= set(OF_CALENDAR.get(path.removeprefix(OF_TIME), ()))
    return {text_hash(text): text for text in sorted(found)}

"""Changes as Kafka gets them, many at once: what they have in common is put into words once for each plan.

The result is byte for byte that of :class:`stream.engine.change.Change`, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.engine.change import MICROS, SOURCE, TYPE, shown, shown_text
from stream.engine.changes import Block
from stream.engine.kinds import CAUSES, Kinds
from stream.engine.latest import Last, Latest
from stream.engine.records import Column, Records, json_texts
from stream.engine.rows import Rows
from stream.events.columns import utf8_of
from stream.events.instant import EARLIEST_MS, LATEST_MS, iso
from stream.features import pool
from stream.features.base import Kind
from stream.plan import digits, header, telling
from stream.plan.telling import GIVEN, ID_BYTES, Told

#: Fragments that are kept; with more of them (segments that come and go), they are written anew.
MOST_FRAGMENTS = 1 << 18
_KINDS = {Kind.TEXT: telling.TEXT, Kind.DURATION: telling.DURATION, Kind.MONEY: telling.AMOUNT}


class Fragments:
    """Texts that are used again, each under a number; ``first`` are those of the lowest numbers."""

    def __init__(self, first: Sequence[bytes]) -> None:
        self._blob, self._ends = bytearray(), [0]
        self._numbers: dict[Any, int] = {}
        self._arrays: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None
        for text in first:
            self.add(text)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, text: bytes) -> int:
        """The number of a text that is new."""
        self._blob += text
        self._ends.append(len(self._blob))
        self._arrays = None
        return len(self._ends) - 2

    def of(self, key: Any, write: Callable[[], bytes]) -> int:
        """The number of the text that stands for something, which is written where there is none yet."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self.add(write())
        return number

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """All of them one behind the other, and where each ends, as `telling.Templates` has them."""
        if self._arrays is None:
            self._arrays = np.array(self._blob, np.uint8), np.array(self._ends, np.int64)
        return self._arrays


class Teller:
    """Writes the changes of one plan; keeps what they have in common."""

    def __init__(self, rows: Rows) -> None:
        self.rows, plan = rows, rows.plan
        self.dimensions = plan.definitions.dimensions
        self.topics = [{s.name: (s.topic,) for s in d.segments if s.topic} for d in self.dimensions]
        self._kinds_known = Kinds([d.name for d in self.dimensions], rows.names)
        self._topics_of: tuple[Kinds, list[str], NDArray[np.int64]] | None = None
        #: For each dimension, name and kind of every value of its evidence.
        self.evidence = [[(f"{r.feature}.{r.view}" if r.view else r.feature, r.kind) for r in e] for e in plan.evidence]
        self._kernels = plan.kernels.packing
        self._begin()

    def _begin(self) -> None:
        self._heads_of: tuple[Kinds, NDArray[np.int64]] | None = None
        #: by their numbers in `rows.texts`
        self._texts = np.zeros(0, np.int64)
        self._fragments = fragments = Fragments(
            [
                b'},"sequence":',
                b"\x10" + _header("ce_specversion", b"1.0") + _text(b"ce_id") + _length(2 * ID_BYTES),
                _header("ce_source", SOURCE.encode()) + _header("ce_type", TYPE.encode()) + _text(b"ce_subject"),
                _text(b"ce_time") + _length(telling.INSTANT_BYTES),
                *(_header("ce_cause", one.encode()) + _header("content-type", b"application/json") for one in CAUSES),
            ]
        )
        count, width = len(self.dimensions), max((len(e) for e in self.evidence), default=0)
        self._kinds = np.full((max(1, count), width), telling.NOTHING)
        self._labels = np.zeros_like(self._kinds)
        for j, features in enumerate(self.evidence):
            for k, (name, kind) in enumerate(features):
                self._kinds[j, k] = _KINDS.get(kind, telling.WHOLE)
                self._labels[j, k] = fragments.add((b"," if k else b"") + orjson.dumps(name) + b":")
        self.width = width
        self._counts = np.array([len(e) for e in self.evidence], np.int64)
        tails = [orjson.dumps({"definition": d.version}) for d in self.dimensions]
        self._tails = np.array([fragments.add(b"," + tail[1:]) for tail in tails], np.int64)
        self._names = np.array([fragments.add(b"\0%b\0" % d.name.encode()) for d in self.dimensions], np.int64)

    def records(self, block: Block) -> Records:
        """Key, value and headers of every change."""
        if len(self._fragments) > MOST_FRAGMENTS:
            self._begin()
        _mind_years(block.ints[:, header.AT])
        n, keys = len(block), Column.of(block.keys)
        texts: list[bytes] = []
        heads, given = self._heads(block), self._given(block, texts)
        events, ids, own_ids = self._events(block)
        more = _more(block, texts, len(own_ids))
        own = Column.joined([own_ids, Column.of(texts)])
        given[given >= 0] += len(own_ids)
        told = Told(heads, block.causes, given, events, ids, more, own.data, own.ends, keys.data, keys.ends)
        arrays = self._fragments.arrays()
        templates = telling.Templates(*arrays, self._kinds, self._labels, self._counts, self._tails, self._names)
        room, head_room = self._room(block, templates, told)
        values = Column(np.empty(room, np.uint8), np.zeros(n + 1, np.int64))
        headers = Column(np.empty(head_room, np.uint8), np.zeros(n + 1, np.int64))
        self._kernels.tell(
            block.ints, block.floats, templates, told, values.data, values.ends, headers.data, headers.ends
        )
        return Records(keys, values, np.zeros(n, np.uint8), headers)

    def _room(self, block: Block, templates: telling.Templates, told: Told) -> tuple[int, int]:
        """How many bytes the values, and the headers, take at most."""
        n, dimensions = len(block), block.ints[:, header.DIMENSION]
        sizes, own_sizes = np.diff(templates.ends), np.append(np.diff(told.ends), 0)  # at -1: no text
        labels = np.where(self._kinds != telling.NOTHING, sizes[self._labels] + digits.LONGEST, 0).sum(axis=1)
        texts = sizes[GIVEN - told.given[told.given <= GIVEN]].sum() + own_sizes[told.given[told.given >= 0]].sum()
        events = np.append(sizes, 0)[told.events].sum() + own_sizes[told.ids].sum() + own_sizes[told.more].sum()
        common = (sizes[told.heads] + sizes[self._tails[dimensions]] + labels[dimensions]).sum()
        fixed = int(sizes[: telling.BEHIND].sum()) + 2 * digits.LONGEST
        longest = int(sizes[telling.BEHIND : telling.BEHIND + len(CAUSES)].max())
        ids = 2 * ID_BYTES + telling.INSTANT_BYTES
        return int(common + texts + events) + fixed * n, len(told.keys) + (fixed + longest + ids) * n

    def kinds(self) -> Kinds:
        """The kinds of changes as the segments are called now."""
        if self._kinds_known.names != self.rows.names:
            self._kinds_known = Kinds(self._kinds_known.dimensions, self.rows.names)
        return self._kinds_known

    def topics_of(self, kinds: Kinds) -> tuple[list[str], NDArray[np.int64]]:
        """The further topics that the definitions name, and for each kind of change the number of its topic, or -1."""
        if self._topics_of is None or self._topics_of[0] is not kinds:
            topics: list[str] = []
            found = np.full(kinds.count, -1)
            for j, by_segment in enumerate(self.topics):
                numbers = kinds.among(j)
                for code, name in enumerate(kinds.names[j], start=1):
                    for topic in by_segment.get(name, ()):
                        if topic not in topics:
                            topics.append(topic)
                        found[numbers[:, code]] = topics.index(topic)
            self._topics_of = kinds, topics, found
        return self._topics_of[1:]

    def _heads(self, block: Block) -> NDArray[np.int64]:
        """The fragment that each value begins with."""
        if self._heads_of is None or self._heads_of[0] is not block.kinds:
            self._heads_of = block.kinds, np.full(block.kinds.count, -1)
        heads = self._heads_of[1]
        found: NDArray[np.int64] = heads[block.numbers]
        new = np.unique(block.numbers[found < 0]).tolist()
        for kind in new:
            parts = block.kinds.parts(kind)
            heads[kind] = self._fragments.of(parts, lambda parts=parts: self._head(*parts))  # type: ignore[misc]
        return heads[block.numbers] if new else found

    def _head(self, dimension: int, left: str | None, to: str | None, cause: int) -> bytes:
        name = self.dimensions[dimension].name
        begun: dict[str, Any] = {"dimension": name, "from": left, "to": to, "cause": CAUSES[cause], "evidence": {}}
        return orjson.dumps(begun)[:-2]

    def _given(self, block: Block, texts: list[bytes]) -> NDArray[np.int64]:
        """Who writes each value of the evidence; what neither a kernel nor a fragment does is added to ``texts``."""
        names = self.rows.texts
        if len(names) > len(self._texts):
            self._texts = np.concatenate((self._texts, np.full(2 * len(names) - len(self._texts), -1)))
        given = np.full((len(block), self.width), -1)
        odd = np.empty((given.size, 2), np.int64)
        found = self._kernels.assign(
            block.ints, block.floats, self._kinds, self._counts, names.table, self._texts, given, odd
        )
        if not found:
            return given
        i, k = odd[:found].T
        kinds = self._kinds[block.ints[i, header.DIMENSION], k]
        values = block.floats[i, header.EVIDENCE + k]
        for kind, unit in ((telling.WHOLE, 1), (telling.AMOUNT, MICROS)):
            picks = np.flatnonzero(kinds == kind)
            if len(picks):
                given[i[picks], k[picks]] = len(texts) + np.arange(len(picks))
                some = values[picks]
                texts += orjson.dumps((some if unit == 1 else some / unit).tolist())[1:-1].split(b",")
        for at in np.flatnonzero(kinds == telling.DURATION).tolist():
            given[i[at], k[at]] = len(texts)
            texts.append(orjson.dumps(shown(values[at], Kind.DURATION)))
        picks = np.flatnonzero(kinds == telling.TEXT)
        codes, which = np.unique(block.ints[i[picks], header.EVIDENCE + k[picks]], return_inverse=True)
        fragments = np.array([self._text(code) for code in codes.tolist()], np.int64)
        given[i[picks], k[picks]] = GIVEN - fragments[which]
        return given

    def _text(self, code: int) -> int:
        """The fragment with a text, by its hash."""
        names, text = self.rows.texts, shown_text(code, self.rows.texts)
        number = self._fragments.of(("text", text), lambda: orjson.dumps(text))
        known = int(names.table[pool.slot(names.table, code), 1]) - 1
        if known >= 0:
            self._texts[known] = number
        return number

    def _events(self, block: Block) -> tuple[NDArray[np.int64], NDArray[np.int64], Column]:
        """Of every change the fragment that begins with its event, and the number of the id behind that, both -1 where
        there is no event; and the ids."""
        begun, ids, run = np.full(len(block), -1), np.full(len(block), -1), block.run
        there = np.flatnonzero(block.ints[:, header.CAUSE] >= 0)
        if run is None or not len(there):
            return begun, ids, Column.of([])
        known, which = np.unique(block.ints[there, header.CAUSE], return_inverse=True)
        of_piece, at = run.piece[known], run.at[known]
        fragments, texts = np.empty(len(known), np.int64), np.empty(len(known), np.object_)
        for piece in np.unique(of_piece).tolist():
            some, batch = np.flatnonzero(of_piece == piece), run.pieces[piece].batch
            picks = at[some].tolist()
            names = [batch.names[i] for i in picks]
            numbers = {name: self._fragments.of(("event", name), partial(_event, name)) for name in set(names)}
            fragments[some] = [numbers[name] for name in names]
            texts[some] = utf8_of(batch.ids, picks)
        begun[there], ids[there] = fragments[which], which
        return begun, ids, json_texts(Column.of(texts.tolist()))


def _event(name: str) -> bytes:
    """What stands before the id of an event."""
    return orjson.dumps({"event": {"name": name}})[1:-2] + b',"messageId":'


def _more(block: Block, texts: list[bytes], first: int) -> NDArray[np.int64]:
    """The number of each change's further evidence, which is added to ``texts``, whose first number is ``first``; -1
    where there is none."""
    found = np.full(len(block), -1)
    for k, further in block.more.items():
        found[k] = first + len(texts)
        texts.append(orjson.dumps(further)[1:-1])
    return found


def _mind_years(instants: NDArray[np.int64]) -> None:
    """An error where one of them is of no year that can be written."""
    for instant in (int(instants.min(initial=0)), int(instants.max(initial=0))):
        if not EARLIEST_MS <= instant <= LATEST_MS:
            iso(instant)  # raises


def warm(rows: Rows) -> None:
    """Have what writes changes compiled, or loaded from the cache, before it is needed."""
    teller = Teller(rows)
    teller.records(Block(teller, np.zeros((0, header.EVIDENCE + teller.width), np.int64), None, {}))
    nobody = np.zeros(0, np.int64)
    Latest(rows).records(Last([], nobody, nobody), [])


def _length(n: int) -> bytes:
    out = np.zeros(8, np.uint8)
    return out[: digits.put_length(out, 0, n)].tobytes()


def _text(text: bytes) -> bytes:
    return _length(len(text)) + text


def _header(name: str, value: bytes) -> bytes:
    return _text(name.encode()) + _text(value)

"""Changes as Kafka gets them, many at once: what they have in common is put into words once for each plan.

The result is byte for byte that of :class:`stream.engine.change.Change`, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.engine.change import MICROS, SOURCE, TYPE, shown, shown_text
from stream.engine.changes import CAUSES, Block
from stream.engine.latest import latest_segments
from stream.engine.records import Column, Records
from stream.engine.rows import Rows
from stream.events.instant import EARLIEST_MS, LATEST_MS, iso
from stream.features.base import Kind
from stream.plan import digits, header, telling
from stream.plan.packed import EXACT
from stream.plan.telling import ID_BYTES, Told

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
        #: For each dimension, name and kind of every value of its evidence.
        self.evidence = [[(f"{r.feature}.{r.view}" if r.view else r.feature, r.kind) for r in e] for e in plan.evidence]
        self._kernels = plan.kernels.packing
        self._begin()

    def _begin(self) -> None:
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
        n, dimensions = len(block), block.ints[:, header.DIMENSION]
        keys = Column.of(block.keys)
        heads, causes = self._heads(block), block.causes
        texts: list[bytes] = []
        given = self._given(block, texts)
        more = self._more(block, texts)
        own = Column.of(texts)
        told = Told(heads, causes, given, more, own.data, own.ends, keys.data, keys.ends)
        arrays = self._fragments.arrays()
        templates = telling.Templates(*arrays, self._kinds, self._labels, self._counts, self._tails, self._names)
        sizes, own_sizes = np.diff(arrays[1]), np.append(np.diff(own.ends), 0)  # at -1: no text
        labels = np.where(self._kinds != telling.NOTHING, sizes[self._labels] + digits.LONGEST, 0).sum(axis=1)
        common = sizes[heads] + sizes[self._tails[dimensions]] + labels[dimensions]
        fixed = int(sizes[: telling.BEHIND].sum()) + 2 * digits.LONGEST
        room = int((common + own_sizes[given].sum(axis=1) + own_sizes[more]).sum()) + fixed * n
        longest = int(sizes[telling.BEHIND : telling.BEHIND + len(CAUSES)].max())
        head_room = len(keys.data) + (fixed + longest + 2 * ID_BYTES + telling.INSTANT_BYTES) * n
        values = Column(np.empty(room, np.uint8), np.zeros(n + 1, np.int64))
        headers = Column(np.empty(head_room, np.uint8), np.zeros(n + 1, np.int64))
        self._kernels.tell(
            block.ints, block.floats, templates, told, values.data, values.ends, headers.data, headers.ends
        )
        return Records(keys, values, np.zeros(n, np.uint8), headers)

    def _heads(self, block: Block) -> NDArray[np.int64]:
        """The fragment that each value begins with."""
        sorts, which = block.sorts()
        found = [self._fragments.of(sort, lambda sort=sort: self._head(*sort)) for sort in sorts]  # type: ignore[misc]
        return np.array(found, np.int64)[which]

    def _head(self, dimension: int, left: str | None, to: str | None, cause: int) -> bytes:
        name = self.dimensions[dimension].name
        begun: dict[str, Any] = {"dimension": name, "from": left, "to": to, "cause": CAUSES[cause], "evidence": {}}
        return orjson.dumps(begun)[:-2]

    def _given(self, block: Block, texts: list[bytes]) -> NDArray[np.int64]:
        """Which values are not written by the kernel: texts, and numbers whose digits are not plain."""
        values = block.floats[:, header.EVIDENCE : header.EVIDENCE + self._kinds.shape[1]]
        given = np.full(values.shape, -1)
        kinds = self._kinds[block.ints[:, header.DIMENSION]]
        for code, places in _by_value(block.ints[:, header.EVIDENCE :], kinds == telling.TEXT):
            given[places] = len(texts)
            texts.append(orjson.dumps(shown_text(code, self.rows.texts)))
        size = np.abs(values)
        whole = (values == np.floor(values)) & (size < EXACT)
        plain = (kinds != telling.AMOUNT) & whole
        plain |= (kinds == telling.DURATION) & (size < EXACT)
        amount = whole & (size < digits.MOST_MICROS) & ((size >= digits.LEAST_MICROS) | (values == 0))
        plain |= (kinds == telling.AMOUNT) & amount & ~((values == 0) & np.signbit(values))
        odd = ~plain & ~np.isnan(values) & (kinds != telling.TEXT) & (kinds != telling.NOTHING)
        for kind, unit in ((telling.WHOLE, 1), (telling.AMOUNT, MICROS)):
            places = np.nonzero(odd & (kinds == kind))
            if len(places[0]):
                given[places] = len(texts) + np.arange(len(places[0]))
                found = values[places]
                texts += orjson.dumps((found if unit == 1 else found / unit).tolist())[1:-1].split(b",")
        for at in zip(*np.nonzero(odd & (kinds == telling.DURATION)), strict=True):
            given[at] = len(texts)
            texts.append(orjson.dumps(shown(values[at], Kind.DURATION)))
        return given

    def _more(self, block: Block, texts: list[bytes]) -> NDArray[np.int64]:
        """What stands behind the values: the event, and further evidence."""
        found = np.full(len(block), -1)
        events: dict[int, bytes] = {}
        for cause, (batch, i) in block.origins().items():
            event = {"name": batch.names[i], "messageId": batch.ids[i]}
            events[cause] = orjson.dumps({"event": event})[1:-1]
        if events:
            causes = block.ints[:, header.CAUSE]
            known = np.array(list(events), np.int64)  # sorted
            there = np.flatnonzero(causes >= 0)
            found[there] = len(texts) + np.searchsorted(known, causes[there])
            texts += events.values()
        for k, further in block.more.items():
            event_too = events.get(int(block.ints[k, header.CAUSE]))
            parts = [*([event_too] if event_too is not None else []), orjson.dumps(further)[1:-1]]
            found[k] = len(texts)
            texts.append(b",".join(parts))
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
    latest_segments(rows, {}, [])


def _by_value(ints: NDArray[np.int64], where: NDArray[np.bool_]) -> Any:
    """Each value that stands there, and its places."""
    places = np.nonzero(where)
    if not len(places[0]):
        return
    values, which = np.unique(ints[places], return_inverse=True)
    order = np.argsort(which, kind="stable")
    stops = np.cumsum(np.bincount(which))
    for value, start, stop in zip(values.tolist(), [0, *stops[:-1].tolist()], stops.tolist(), strict=True):
        some = order[start:stop]
        yield value, (places[0][some], places[1][some])


def _length(n: int) -> bytes:
    out = np.zeros(8, np.uint8)
    return out[: digits.put_length(out, 0, n)].tobytes()


def _text(text: bytes) -> bytes:
    return _length(len(text)) + text


def _header(name: str, value: bytes) -> bytes:
    return _text(name.encode()) + _text(value)

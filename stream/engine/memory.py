"""What a shard keeps at rest beside its customers' rows, and how all of it is read and written."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
import numpy as np

from stream.engine import rest
from stream.engine.backfill import Backfill
from stream.engine.chain_at_rest import ENTRY, HEAD, ChainAtRest, ReadModel
from stream.engine.departed import DEPARTED, Departed
from stream.engine.latest import Latest
from stream.engine.layouts import Description, decode_layout, describe_layout, new_columns, warming
from stream.engine.models import Entry, Versions
from stream.engine.output import Output
from stream.engine.plans import definitions_of
from stream.engine.poison import Poison, SetAside
from stream.engine.records import Records
from stream.engine.rows import Rows
from stream.engine.slices import PACKED, Slices
from stream.errors import UserError
from stream.events.raw import RawRecord, RawRecords
from stream.features.base import NEVER
from stream.plan import header
from stream.plan.layout import Layout
from stream.plan.plan import Plan

#: Of all that is at rest; one more where an earlier release would misread it.  1: rows are packed; 2: the places of
#: clusters in rows are not their numbers; 3: packed rows are streams of bits,
#: and there are versions of models that predict.
FORMAT = 3


class OwnRow(msgspec.Struct):
    """What a shard remembers of itself: where each source goes on, how far time has come, and by which definitions.

    ``published`` is the number of the published definitions in force (0: none, the worker's own files) and ``text`` the
    hash of their files; ``layout`` that of the rows written last.  ``started``: since when (event time, ms) the
    features count that began with later definitions, by identity; ``anew``: columns that were dropped and came back,
    and the version that brought them, so that older rows give nothing from before.  ``books``: how many records each
    thing became of (:meth:`stream.engine.output.Counts.by_outcome`) since the shard's first, ``read`` being all.
    ``requests``: the hashes of the latest requests to be forgotten.  ``sampling``: what
    :class:`stream.engine.sampling.Bound` goes by.  ``format``: how what is at rest
    is to be read; it stands here, as every transaction writes this row.
    """

    sources: list[tuple[str, int, int, int]] = []
    clock: int = NEVER
    transaction: int = 0
    definitions: dict[str, str] = {}
    published: int = 0
    text: str = ""
    layout: int = 0
    started: dict[str, int] = {}
    anew: dict[str, int] = {}
    books: dict[str, int] = {}
    requests: list[int] = []
    format: int = 0
    sampling: tuple[int, ...] = ()


class _Format(msgspec.Struct):
    """What can be read of the own row of any release."""

    format: int = 0


class Memory:
    """Reads a shard from its changelog, and writes what a step changed."""

    def __init__(self, partition: int, rows: Rows, read_model: ReadModel | None, changelog: str) -> None:
        self.partition = partition
        self.own = OwnRow()
        self.restorer = rest.Restorer(rows)
        self._chain = ChainAtRest(read_model)
        #: What stays of customers who were forgotten for doing nothing.
        self.departed = Departed()
        self._described = False
        self._telling: Latest | None = None
        #: whose definitions the own row names already, and of which own row
        self._defined: tuple[OwnRow, Plan] | None = None
        self._revision = 0
        self.set_aside = SetAside(changelog, partition)
        #: Customer -> offset and timestamp of the record with their row, where it waits until all is read.
        self._waiting: dict[bytes, tuple[int, int]] = {}

    @property
    def rows(self) -> Rows:
        """The rows."""
        return self.restorer.rows

    # From rest

    def read(self, records: RawRecords) -> None:
        """Records of the changelog in their order, but that rows come behind all else that came with them.  What cannot
        be read is set aside (:mod:`stream.engine.poison`)."""
        rows = records.begin_with(rest.ROW)
        for k in np.flatnonzero(~rows).tolist():
            one = _told(records[k])
            try:
                self._take(one.key, one.value)
            except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
                self.set_aside.add(one, str(error), self._instead(one.key))
            else:
                self.set_aside.mended([one.key])
        if rows.any():
            self._rows(records if rows.all() else records.some(np.flatnonzero(rows)))

    def _rows(self, records: RawRecords) -> None:
        """Records of customers' rows."""
        applied = self.restorer.apply(records)
        self.set_aside.mended(records.keys())
        for k in applied.bad:
            self.set_aside.add(_told(records[k]), "the value is no row")
        waiting = applied.waiting
        marks = zip(records.offsets[waiting].tolist(), records.timestamps[waiting].tolist(), strict=True)
        self._waiting.update(zip(rest.customers_of(records, waiting), marks, strict=True))

    def _take(self, key: bytes, value: bytes | None) -> None:
        """A record that is no row; an error where it is none of ours."""
        if key[:1] == ENTRY or key == HEAD:
            self._chain.read(key, value)
        elif key[: len(DEPARTED)] == DEPARTED:
            self.departed.read(key, value)
        elif value is None:
            if key == rest.SHARD or self._instead(key) is not None:
                raise ValueError("a tombstone where none belongs")
        elif key == rest.SHARD:
            self._own(value)
        elif key[:1] == rest.NAME and len(key) == rest.NAME_KEY_BYTES:
            self.rows.texts.restore(*rest.decode_name(key, value))
        elif key[:1] == rest.LAYOUT and len(key) == rest.LAYOUT_KEY_BYTES:
            self.restorer.layouts[rest.mark_of(key)] = decode_layout(value)
        else:
            raise ValueError("no key that a shard writes")

    def _own(self, value: bytes) -> None:
        """The shard's own row; UserError where a later release wrote it: nothing of it may be set aside or changed."""
        written = msgspec.json.decode(value, type=_Format).format
        if written > FORMAT:
            raise UserError(
                f"shard {self.partition} was written by a later release of segstream (format {written} in "
                f"{self.set_aside.topic}, this release reads up to {FORMAT}). Nothing was changed: start that release",
                exit_code=1,
            )
        self.own = msgspec.json.decode(value, type=OwnRow)

    def _instead(self, key: bytes) -> bytes | None:
        """What is put in the place of a record that cannot be read: as a rule what was there before it."""
        if key[:1] == ENTRY or key == HEAD:
            return self._chain.known(key)
        if key[:1] == rest.LAYOUT and len(key) == rest.LAYOUT_KEY_BYTES:
            layout = self.restorer.layouts.get(rest.mark_of(key))
            return None if layout is None else msgspec.json.encode(layout)
        if key[:1] != rest.NAME or len(key) != rest.NAME_KEY_BYTES:
            return None
        text = self.rows.texts.known(rest.number_of(key))
        return None if text is None else text.encode("utf-8", "surrogatepass")

    def read_versions(self, versions: Versions) -> None:
        """The chain of versions as it was written; once."""
        lost = self._chain.lost() if self.own.published else None
        if lost is not None and self.set_aside.has(lost):
            raise UserError(
                f"shard {self.partition} cannot go on: {self.set_aside.describe(lost)}; by it the shard knows its "
                "definitions: write the record again as it was, or delete the shard's changelog and group offsets",
                exit_code=1,
            )
        self._chain.restore(versions)

    def go_under(self, plan: Plan) -> None:
        """The rows under another plan than the one that reading began with."""
        self.restorer = self.restorer.under(plan)

    def finish(self, versions: Versions) -> None:
        """All is read: texts, rows that wait, bags, and who counts as moved to the version in force everywhere."""
        self.restorer.anew = self.own.anew
        names = (key for key in self.set_aside.of(rest.NAME) if len(key) == rest.NAME_KEY_BYTES)
        self.rows.texts.close(map(rest.number_of, names))
        for customer, value in self.restorer.finish().items():
            offset, timestamp = self._waiting[customer]
            found = Poison(rest.ROW + customer, value, offset, timestamp)
            self.set_aside.add(found, "the value is no row, or one of a layout that is not known")
        self._waiting = {}
        self.set_aside.close(len(self.set_aside.of(rest.ROW)), len(self.rows.index))
        self._described = self.restorer.mark in self.restorer.layouts
        versions.planned(self.rows.plan)
        self._revision = versions.revision
        column = self.rows.table.ints[: len(self.rows), header.VERSION]
        column[column < versions.slots.version[0]] = versions.slots.version[0]

    # New definitions

    def adopted(self, entry: Entry, rows: Rows, before: Description, backfill: Backfill | None = None) -> None:
        """The rows were mapped to the plan of the definitions in ``entry``, from a layout as described; what is new was
        filled where there is a ``backfill``, and then every row is to be written."""
        layouts, anew = self.restorer.layouts, self.own.anew
        self._begin(entry, rows.plan.layout, before)
        if backfill is not None:
            layout = rows.plan.layout
            begun = warming(layout, new_columns(layout, before))
            self.own.started = {name: since for name, since in self.own.started.items() if name not in begun}
            self.own.started |= backfill.started(layout, before)
            self.own.anew = {name: version for name, version in anew.items() if name in self.own.anew}
        self.restorer = rest.Restorer(rows, layouts)
        self._described = self.restorer.mark in layouts

    def redefined(self, entry: Entry, layout: Layout) -> None:
        """The same for rows that came from rest under other definitions than they were written by."""
        before = self.restorer.layouts.get(self.own.layout)
        if before is not None:
            self._begin(entry, layout, before)

    def _begin(self, entry: Entry, layout: Layout, before: Description) -> None:
        """Note which features begin, and which columns were there before, but not in the layout before this one."""
        new = new_columns(layout, before)
        known = {accumulator.identity() for accumulator in layout.base}
        kept = {identity: since for identity, since in self.own.started.items() if identity in known}
        self.own.started = kept | dict.fromkeys(warming(layout, new), entry.effective)
        again = {name for old in self.restorer.layouts.values() for name in new - new_columns(layout, old)}
        names = {column.name for column in layout.columns}
        self.own.anew = {name: version for name, version in self.own.anew.items() if name in names}
        self.own.anew |= dict.fromkeys(again, entry.ordinal)

    # To rest

    def differs(self, versions: Versions) -> bool:
        """Whether the chain of versions is not what is at rest, or some of that is to be set aside."""
        return versions.revision != self._revision or self.set_aside.pending

    def write_rows(self, out: Output) -> Slices[None]:
        """The rows that differ from what is at rest; also before another plan is adopted, as segments that it does not
        have can only be told by their own.  Blank ones are those of customers who were forgotten: they are given up."""
        touched = self.rows.touched()
        blank = self.rows.table.ints[touched, header.LATEST] == NEVER
        picks = touched[~blank]
        out.rows += [(rest.ROW + customer, None) for customer in self.rows.remove(touched[blank])]
        if not self._described:  # before the rows that cannot be read without it
            described = describe_layout(self.rows.plan)
            self.restorer.layouts[self.restorer.mark] = described
            out.rows.append((rest.layout_key(self.rows.plan), msgspec.json.encode(described)))
            self._described = True
        out.rows += rest.encode_names(self.rows.texts)
        for start in range(0, len(picks), PACKED):
            some = picks[start : start + PACKED]
            out.rows += rest.encode_rows(self.rows, some, self.restorer.mark, self.restorer.shape)
            yield

    def write(self, versions: Versions, out: Output) -> Slices[None]:
        """Add to ``out`` what this step has changed."""
        letters, instead = self.set_aside.write()
        out.dead += letters
        out.rows.put_first(instead)
        yield from self.write_rows(out)
        out.rows += self.departed.write()
        if versions.revision != self._revision:
            out.rows += self._chain.write(versions)
            self._revision = versions.revision
            published = versions.definitions
            self.own.published = published.version if published is not None else 0
            self.own.text = text_hash(published.files) if published is not None else ""
        self.own.transaction += 1
        self.own.format = FORMAT
        if out.counts.read:
            books = self.own.books
            for outcome, n in {"read": out.counts.read, **out.counts.by_outcome()}.items():
                books[outcome] = books.get(outcome, 0) + n
        if self._defined is None or self._defined[0] is not self.own or self._defined[1] is not self.rows.plan:
            self.own.definitions = definitions_of(self.rows.plan)
            self._defined = self.own, self.rows.plan
        self.own.layout = self.restorer.mark
        out.rows.append((rest.SHARD, msgspec.json.encode(self.own)))
        yield
        out.customers = self._latest(out)

    def _latest(self, out: Output) -> Records:
        """The latest segments of everyone who changed; None for who was forgotten and has none since."""
        last = out.changes.last()
        gone = dict.fromkeys(one.customer for one in out.forgotten if not self._counts_again(one.customer))
        if self._telling is None or self._telling.rows is not self.rows:
            self._telling = Latest(self.rows)
        return self._telling.records(last.without(set(gone)) if gone else last, list(gone))

    def _counts_again(self, customer: bytes) -> bool:
        """Whether a customer who was forgotten has come back and is in segments again."""
        i = self.rows.index.get(customer)
        return i is not None and int(self.rows.table.ints[i, header.SEQUENCE]) > 0


def _told(record: RawRecord) -> Poison:
    """A record as it is told where it cannot be read."""
    return Poison(record.key or b"", record.value, record.offset, record.timestamp)


def text_hash(files: dict[str, str]) -> str:
    """Of definition files: equal where names and texts are."""
    return blake2b(msgspec.json.encode(files, order="deterministic"), digest_size=8).hexdigest()

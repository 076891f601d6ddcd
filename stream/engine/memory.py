"""What a shard keeps at rest beside its customers' rows, and how all of it is read and written."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec
import orjson

from stream.engine import rest
from stream.engine.backfill import Backfill
from stream.engine.chain_at_rest import ENTRY, HEAD, ChainAtRest
from stream.engine.layouts import Description, describe_layout, new_columns, warming
from stream.engine.models import Entry, Model, Versions
from stream.engine.output import Output
from stream.engine.plans import definitions_of
from stream.engine.questions import segments_as_json
from stream.engine.rows import Rows
from stream.features.base import NEVER
from stream.plan import header
from stream.plan.layout import Layout
from stream.plan.plan import Plan


class OwnRow(msgspec.Struct):
    """What a shard remembers of itself: where each source goes on, how far time has come, and by which definitions.

    ``published`` is the number of the published definitions in force (0: none, the worker's own files) and ``text`` the
    hash of their files; ``layout`` that of the rows written last.  ``started``: since when (event time, ms) the
    features count that began with later definitions, by identity; ``anew``: columns that were dropped and came back,
    and the version that brought them, so that older rows give nothing from before.  ``books``: how many records each
    thing became of (:meth:`stream.engine.output.Counts.by_outcome`) since the shard's first, ``read`` being all.
    ``requests``: the hashes of the message ids of the latest requests to be forgotten.
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


class Memory:
    """Reads a shard from its changelog, and writes what a step changed."""

    def __init__(self, partition: int, rows: Rows, read_model: Callable[[bytes], Model] | None) -> None:
        self.partition, self.read_model = partition, read_model
        self.own = OwnRow()
        self.restorer = rest.Restorer(rows)
        self._chain = ChainAtRest()
        self._described = False
        self._revision = 0

    @property
    def rows(self) -> Rows:
        """The rows."""
        return self.restorer.rows

    # From rest

    def read(self, keys: list[bytes], values: list[bytes | None]) -> None:
        """Records of the changelog, in their order."""
        rows_k: list[bytes] = []
        rows_v: list[bytes | None] = []
        for key, value in zip(keys, values, strict=True):
            letter = key[:1]
            if letter in (HEAD, ENTRY):
                self._chain.read(key, value)
            elif letter == rest.ROW:
                rows_k.append(key[1:])
                rows_v.append(value)
            elif value is None:
                raise ValueError(f"an unexpected tombstone in the changelog of partition {self.partition}")
            elif letter == rest.SHARD:
                self.own = msgspec.json.decode(value, type=OwnRow)
            elif letter == rest.NAME:
                self.rows.texts.restore([rest.decode_name(key, value)])
            elif letter == rest.LAYOUT:
                mark = int.from_bytes(key[1:], "little", signed=True)
                self.restorer.layouts[mark] = msgspec.json.decode(value, type=Description)
        if rows_k:
            self.restorer.apply(rows_k, rows_v)

    def read_versions(self, versions: Versions) -> None:
        """The chain of versions as it was written; once."""
        self._chain.restore(versions, self.read_model)

    def go_under(self, plan: Plan) -> None:
        """The rows under another plan than the one that reading began with."""
        self.restorer = self.restorer.under(plan)

    def finish(self, versions: Versions) -> None:
        """All is read: rows of other layouts, bags, and who counts as moved to the version in force everywhere."""
        self.restorer.anew = self.own.anew
        self.restorer.finish()
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
        """Whether the chain of versions is not what is at rest."""
        return versions.revision != self._revision

    def write_rows(self, out: Output) -> None:
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
        out.rows += rest.encode_rows(self.rows, picks, self.restorer.mark)

    def write(self, versions: Versions, out: Output) -> None:
        """Add to ``out`` what this step has changed."""
        self.write_rows(out)
        if self.differs(versions):
            out.rows += self._chain.write(versions)
            self._revision = versions.revision
            published = versions.definitions
            self.own.published = published.version if published is not None else 0
            self.own.text = text_hash(published.files) if published is not None else ""
        self.own.transaction += 1
        if out.counts.read:
            books = self.own.books
            for outcome, n in {"read": out.counts.read, **out.counts.by_outcome()}.items():
                books[outcome] = books.get(outcome, 0) + n
        self.own.definitions = definitions_of(self.rows.plan)
        self.own.layout = self.restorer.mark
        out.rows.append((rest.SHARD, msgspec.json.encode(self.own)))
        out.customers = self._latest(out)

    def _latest(self, out: Output) -> list[tuple[bytes, bytes | None]]:
        """The latest segments of everyone who changed; None for who was forgotten and has none since."""
        last = {change.customer: change for change in out.changes}
        rows = self.rows
        gone = dict.fromkeys(one.customer for one in out.forgotten if not self._counts_again(one.customer))
        for customer in gone:
            last.pop(customer, None)
        segments = segments_as_json(rows, [rows.index[customer] for customer in last])
        told: list[tuple[bytes, bytes | None]] = [(customer, None) for customer in gone]
        return told + [
            (
                customer,
                b'{"customer":%b,"segments":%b,"at":%d,"sequence":%d}'
                % (orjson.dumps(change.subject), own, change.at_ms, change.sequence),
            )
            for (customer, change), own in zip(last.items(), segments, strict=True)
        ]

    def _counts_again(self, customer: bytes) -> bool:
        """Whether a customer who was forgotten has come back and is in segments again."""
        i = self.rows.index.get(customer)
        return i is not None and int(self.rows.table.ints[i, header.SEQUENCE]) > 0


def text_hash(files: dict[str, str]) -> str:
    """Of definition files: equal where names and texts are."""
    return blake2b(msgspec.json.encode(files, order="deterministic"), digest_size=8).hexdigest()

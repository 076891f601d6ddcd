"""From records to a batch: JSON to columns, once per event; what cannot be applied becomes a dead letter.

Nothing here raises on bad input: every record ends as an event of the plan, as ignored (a name no definition uses), or
as rejected with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.events.batch import CONTROL, FORGET, IGNORED, REJECTED, Batch, DeadLetter
from stream.events.columns import CustomerIds
from stream.events.customer import customer_id
from stream.events.names import NAMES_OF_TYPES, PRODUCT_UPDATED
from stream.events.properties import ItemRow, PropertyReader, RejectionError, Schema, readings, within_reach
from stream.events.quick import QuickReader
from stream.events.raw import RawRecords
from stream.events.text import id_hash
from stream.events.wire import Id, Time, envelope

#: Most characters of an id: it is in the key, in a header and in the value of what is written.
LONGEST_ID = 1000
#: Header of an event that we sent on under its right key, or again after a rejection: where it came in.
ORIGIN = "segstream-origin"
#: What that header says: topic, partition and offset, as Kafka allows them.
_PLACE = re.compile(rb"[a-zA-Z0-9._-]{1,249}/[0-9]{1,10}/[0-9]{1,19}")
NO_INSTANT = -(1 << 60)


class _Bare(msgspec.Struct):
    """What says which event it is."""

    type: str | None = None
    event: str | None = None


class _Request(_Bare):
    """What is read of an event that asks to forget its customer; whatever else it says must not keep it from that."""

    messageId: Id = None  # noqa: N815 - the wire's own names
    userId: Id = None  # noqa: N815
    anonymousId: Id = None  # noqa: N815
    timestamp: Time = None


_BARE = msgspec.json.Decoder(_Bare)
_REQUEST = msgspec.json.Decoder(_Request, strict=False)


class Record(Protocol):
    """What is read of a record, from Kafka or from a file."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int | None: ...


class Decoder:
    """Decodes the records of any topic for one plan.

    ``aliases`` maps other vocabularies' event names to ours; ``currency`` is the one amounts are kept in and ``rates``
    what one unit of another is worth in it; ``future_ms`` is how far an event may lie ahead of its record's own
    timestamp (None: not checked, for replay and compressed time); ``control`` decodes the control topic's records;
    ``scan`` is :func:`stream.events.scan.scan`, compiled: with it the usual events are read many times as fast;
    ``forget`` are the names of events that ask to forget their customer, whatever definitions make of them.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        currency: str = "EUR",
        rates: Mapping[str, float] | None = None,
        aliases: Mapping[str, str] | None = None,
        future_ms: int | None = None,
        control_topic: str = "control",
        control: Callable[[bytes], tuple[int, Any]] | None = None,
        scan: Callable[..., int] | None = None,
        forget: Iterable[str] = (),
    ) -> None:
        self.schema = schema
        self.codes = {**schema.codes, **dict.fromkeys(forget, FORGET)}
        for theirs, ours in (aliases or {}).items():
            if ours in self.codes:
                self.codes[theirs] = self.codes[ours]
        self.product_names = {PRODUCT_UPDATED} | {a for a, b in (aliases or {}).items() if b == PRODUCT_UPDATED}
        self.product_names -= set(forget)
        self.rates = {currency: 1.0} | dict(rates or {})
        self.future_ms = future_ms
        self.control_topic = control_topic
        self.control = control
        self.decode_one = msgspec.json.Decoder(envelope(*readings(schema)), strict=False).decode
        self.properties = PropertyReader(schema, self.rates)
        self.quick = QuickReader(scan, schema, self.codes, self.product_names, self.rates) if scan else None

    def decode(self, topic: str, partition: int, records: Sequence[Record], lo: int, hi: int) -> Batch:
        """The records between two fetch positions as columns."""
        n = len(records)
        offsets, timestamps = _places(records)
        batch = Batch(
            topic,
            partition,
            lo,
            hi,
            offsets,
            np.full(n, IGNORED, np.int64),
            np.full(n, NO_INSTANT, np.int64),
            np.zeros(n, np.int64),
            CustomerIds.none(n),
            [""] * n,
            [""] * n,
            np.full((n, self.properties.number_width), np.nan),
            np.zeros((n, self.properties.text_width), np.int64),
            np.zeros(n + 1, np.int64),
            np.zeros((0, self.properties.item_width), np.int64),
            np.full(n, NO_INSTANT, np.int64),
            timestamps,
            records=records,
            schema=self.schema,
        )
        sure = np.zeros(n, np.bool_)
        if self.quick is not None and topic != self.control_topic:
            sure = self.quick.read(batch, self.future_ms)
        read = self._control if topic == self.control_topic else self._event
        products: dict[int, list[ItemRow]] = {}
        customers: dict[int, bytes] = {}
        for i in np.flatnonzero(~sure).tolist():
            items = products[i] = []
            record = records[i]
            try:
                customer = read(batch, i, record, items)
            except RejectionError as problem:
                self._reject(batch, i, record, problem)
                items.clear()
            else:
                if customer is not None:
                    customers[i] = customer
        _place(batch, products)
        batch.customers.put(customers)
        return batch

    def _reject(self, batch: Batch, i: int, record: Record, problem: RejectionError) -> None:
        batch.codes[i] = REJECTED
        batch.instants[i] = NO_INSTANT
        batch.dead[i] = DeadLetter(
            problem.reason,
            batch.topic,
            batch.partition,
            record.offset,
            record.key,
            record.value,
            record.timestamp or 0,
            problem.detail,
        )

    def _control(self, batch: Batch, i: int, record: Record, items: list[ItemRow]) -> bytes | None:
        if self.control is None:
            return None
        try:
            batch.instants[i], batch.controls[i] = self.control(record.value or b"")
        except Exception as error:
            raise RejectionError("control", str(error) or type(error).__name__) from error
        if batch.instants[i] != NO_INSTANT:
            self._not_ahead(int(batch.instants[i]), record)
        batch.codes[i] = CONTROL
        return None

    def _event(self, batch: Batch, i: int, record: Record, items: list[ItemRow]) -> bytes | None:
        """Read one event; its customer's id, where it is about one."""
        problem = getattr(record, "problem", "")
        if problem:
            raise RejectionError(problem, getattr(record, "detail", ""))
        try:
            event = _parsed(record.value, self.decode_one)
        except RejectionError as mistake:
            named = _bare_name(record.value or b"") if mistake.reason == "mistyped" else None
            if not named:
                raise
            if named not in self.codes:
                return None
            if self.codes[named] != FORGET:
                raise
            event = _parsed(record.value, _REQUEST.decode)
        name = _name(event)
        if not name:
            raise RejectionError("no-event", "the event has no name: 'event' is missing")
        code = self.codes.get(name)
        if code is None:
            with suppress(RejectionError):  # nobody asks for it: a mistake in it costs no more than the time it tells
                batch.instants[i] = self._instant(event.timestamp, record)
            return None
        batch.instants[i] = self._instant(event.timestamp, record)
        product = name in self.product_names
        customer = None if product else _customer(event.userId, event.anonymousId)
        if code != FORGET:
            properties = event.traits if event.type == "identify" else event.properties
            if properties is not None:
                self.properties.read(batch, i, properties, items)
        if product and not any(item[0] for item in items):
            raise RejectionError("no-product", "a product update without a product_id")
        batch.codes[i] = code
        batch.names[i] = name
        batch.ids[i] = message = _message(event.messageId, record, batch)
        batch.messages[i] = id_hash(message)
        return customer

    def _instant(self, time: Any, record: Record) -> int:
        if time is None:
            raise RejectionError("no-time", "'timestamp' is missing")
        instant = within_reach(time)
        self._not_ahead(instant, record)
        return instant

    def _not_ahead(self, instant: int, record: Record) -> None:
        if self.future_ms is not None and record.timestamp is not None and instant > record.timestamp + self.future_ms:
            raise RejectionError("future", f"{instant - record.timestamp} ms later than the record's own timestamp")


def _places(records: Sequence[Record]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets and timestamps of records."""
    if isinstance(records, RawRecords):
        return records.offsets, records.timestamps
    n = len(records)
    offsets = np.fromiter((record.offset for record in records), np.int64, n)
    return offsets, np.fromiter((record.timestamp or 0 for record in records), np.int64, n)


def _parsed(value: bytes | None, decode: Callable[[bytes], Any]) -> Any:
    if not value:
        raise RejectionError("empty", "the record has no value")
    try:
        return decode(value)
    except msgspec.ValidationError as error:
        raise RejectionError("mistyped", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectionError("not-json", _sentence(error)) from error


def _bare_name(value: bytes) -> str | None:
    """The name of an event whose other fields have the wrong types; None where it cannot be told."""
    try:
        return _name(_BARE.decode(value))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _place(batch: Batch, products: Mapping[int, Sequence[ItemRow]]) -> None:
    """Put the products of records that were read one by one between those that the batch has; each record's count of
    those is in ``first[1:]``."""
    quick, counts = batch.items, batch.first[1:].copy()
    for i, rows in products.items():
        counts[i] = len(rows)
    np.cumsum(counts, out=batch.first[1:])
    rows_of = [(int(batch.first[i]), rows) for i, rows in products.items() if rows]
    if not rows_of:
        return
    batch.items = np.zeros((int(batch.first[-1]), quick.shape[1]), np.int64)
    from_quick = np.ones(len(batch.items), np.bool_)
    for at, rows in rows_of:
        batch.items[at : at + len(rows)] = rows
        from_quick[at : at + len(rows)] = False
    batch.items[from_quick] = quick


def _name(event: Any) -> str | None:
    """The event's name: its own, else that of its type."""
    return event.event or NAMES_OF_TYPES.get(event.type or "")


def _customer(user: str | int | None, anonymous: str | int | None) -> bytes:
    found = customer_id(None if user is None else str(user), None if anonymous is None else str(anonymous))
    if found is None:
        raise RejectionError("no-customer", "neither 'userId' nor 'anonymousId' is given")
    return _short(found, "the customer's id").encode("utf-8", "surrogatepass")


def _short(text: str, what: str) -> str:
    if len(text) <= LONGEST_ID:
        return text
    raise RejectionError("too-long", f"{what} has {len(text)} characters; {LONGEST_ID} are the most")


def _message(given: str | int | None, record: Record, batch: Batch) -> str:
    if given is not None and given != "":
        return _short(str(given), "'messageId'")
    of_file = getattr(record, "message_id", None)
    return of_file or origin(batch, record)


def origin(batch: Batch, record: Record) -> str:
    """Where a record came in first: topic/partition/offset, also after it was sent on under its right key.

    Headers are whatever producers write, so one that is no such place says nothing.
    """
    for name, value in getattr(record, "headers", ()):
        if name == ORIGIN and value is not None and _PLACE.fullmatch(value):
            return str(value.decode())
    return f"{batch.topic}/{batch.partition}/{record.offset}"


def _sentence(error: BaseException) -> str:
    return str(error)[:200]

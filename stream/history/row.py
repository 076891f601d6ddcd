"""Rows of somebody's file -> events on the wire, with everything that can be worked out once worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NamedTuple

import orjson

from stream.events.instant import iso
from stream.events.names import NAMES_OF_TYPES
from stream.events.routing import Topic, topic_of
from stream.history.mapping import ALL_EVENTS, Column, Fixed, Mapping, OneProduct, Property
from stream.history.times import format_clock, unit_clock

#: A row's values: text from CSV and columns, any JSON value from JSONL.
Row = Sequence[Any]

#: Event names whose envelope is not ``track``, with its type.
_TYPES = {name: kind for kind, name in NAMES_OF_TYPES.items()}


class RowError(Exception):
    """A row that is no event: a short word that rejections are counted by, and a sentence for people."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail


class WireEvent(NamedTuple):
    """A row as an event: its topic's role, Kafka key, wire JSON and time."""

    topic: Topic
    key: bytes
    value: bytes
    timestamp_ms: int


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    number = float(value)
    if not isfinite(number) or (isinstance(value, str) and "_" in value):
        raise ValueError(value)
    return number


def _count(value: Any) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {"text": _text, "number": _number, "count": _count}
_EXPECTED = {"text": "no text", "number": "no number", "count": "no whole number"}


class _Fields:
    """Some properties of one event name: the fixed ones, and for each other its index in the row and converter."""

    def __init__(self, rules: dict[str, Property], index: dict[str, int]) -> None:
        self._fixed = {name: rule.value for name, rule in rules.items() if isinstance(rule, Fixed)}
        self._read = [
            (name, index[rule.name], _CONVERTERS[rule.type], rule)
            for name, rule in rules.items()
            if isinstance(rule, Column)
        ]
        self._products = [
            (name, _Fields(dict(rule.properties), index))
            for name, rule in rules.items()
            if isinstance(rule, OneProduct)
        ]

    def of(self, row: Row) -> dict[str, Any]:
        """The properties of a row; an empty value leaves its property out."""
        found: dict[str, Any] = self._fixed.copy()
        for name, at, convert, rule in self._read:
            value = row[at]
            if value is None or value == "":
                continue
            try:
                found[name] = convert(value)
            except (ValueError, TypeError, OverflowError):
                detail = f"column '{rule.name}' holds {value!r}, which is {_EXPECTED[rule.type]}"
                raise RowError(f"bad-{rule.type}", detail) from None
        for name, fields in self._products:
            found[name] = [fields.of(row)]
        return found


class _Shape(NamedTuple):
    """What every event of one name shares."""

    topic: Topic
    head: dict[str, str]
    payload: str
    fields: _Fields


class RowMapper:
    """Turns rows with the given columns into wire events. Every column of the mapping must be among them."""

    def __init__(self, mapping: Mapping, columns: Sequence[str]) -> None:
        self._mapping = mapping
        self._index = {name: at for at, name in enumerate(columns)}
        rule = mapping.time
        self._clock = unit_clock(rule.unit) if rule.unit else format_clock(rule.format or "iso", rule.zone)
        self._time_at = self._index[rule.column]
        self._customers = [
            (kind, self._index[column])
            for kind, column in (("userId", mapping.user), ("anonymousId", mapping.anonymous))
            if column is not None
        ]
        self._event_at = None if mapping.event_column is None else self._index[mapping.event_column]
        self._id_at = None if mapping.message_id is None else self._index[mapping.message_id]
        self._shapes: dict[str, _Shape] = {}

    def event(self, row: Row) -> WireEvent:
        """The event of a row, or RowError."""
        customer = self._customer(row)
        instant = self._instant(row[self._time_at])
        shape = self._shape_of(row)
        event: dict[str, Any] = {}
        if self._id_at is not None and row[self._id_at] not in (None, ""):
            event["messageId"] = self._plain(row[self._id_at], "messageId")
        event.update(shape.head)
        kind, name = customer
        event[kind] = name
        event["timestamp"] = iso(instant)
        event[shape.payload] = shape.fields.of(row)
        try:
            return WireEvent(shape.topic, name.encode(), orjson.dumps(event), instant)
        except (UnicodeEncodeError, orjson.JSONEncodeError):
            raise RowError("bad-text", "the line is not UTF-8") from None

    def _customer(self, row: Row) -> tuple[str, str]:
        for kind, at in self._customers:
            value = row[at]
            if value is not None and value != "":
                name = self._plain(value, kind)
                if name:
                    return kind, name
        raise RowError("no-customer", "the line names no customer")

    def _instant(self, value: Any) -> int:
        try:
            return self._clock(_text(value))
        except ValueError as error:
            detail = str(error) if value not in (None, "") else f"column '{self._mapping.time.column}' is empty"
            raise RowError("bad-time", detail) from None

    def _shape_of(self, row: Row) -> _Shape:
        if self._event_at is None:
            theirs = ""
        else:
            theirs = self._plain(row[self._event_at], "the event's name")
            if not theirs:
                raise RowError("no-event", f"column '{self._mapping.event_column}' is empty")
        shape = self._shapes.get(theirs)
        return self._new_shape(theirs) if shape is None else shape

    def _new_shape(self, theirs: str) -> _Shape:
        name = self._mapping.event or self._mapping.event_names.get(theirs, theirs)
        kind = _TYPES.get(name)
        head = {"type": "track", "event": name} if kind is None else {"type": kind}
        payload = "traits" if kind == "identify" else "properties"
        properties = self._mapping.properties
        fields = _Fields({**properties.get(ALL_EVENTS, {}), **properties.get(name, {})}, self._index)
        shape = _Shape(topic_of(name), head, payload, fields)
        if len(self._shapes) < 10_000:
            self._shapes[theirs] = shape
        return shape

    @staticmethod
    def _plain(value: Any, what: str) -> str:
        try:
            return "" if value is None else _text(value)
        except ValueError:
            raise RowError("bad-text", f"{what} holds {value!r}, which is no text") from None

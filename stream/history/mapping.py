"""A mapping file: what the columns of somebody's event file mean, so that its lines become events on the wire.

The whole schema (keys not named here are mistakes)::

    format:                        # how the file is read
      kind: csv                    #   csv, columns (values separated by blanks), or jsonl (one JSON object a line)
      delimiter: ","               #   csv only: one character, or "\\t"; default ","
      header: true                 #   csv and columns: the first line names the columns; default true
      columns: [visitor, item]     #   the names, where there is no header
    customer:                      # one or both; anonymousId counts where userId is empty
      userId: user_id
      anonymousId: cookie
    time:
      column: timestamp
      unit: ms                     #   s, ms or us since 1970; or
      format: "%Y-%m-%d %H:%M:%S"  #   as strptime knows it, or the word iso
      zone: Europe/Berlin          #   of times without their own offset; default UTC
    event:
      name: Order Completed        #   of every line; or
      column: behaviour            #   a column that holds it,
      names: {pv: Product Viewed}  #   with their names and ours; a name that is not in the table is taken as it is
    messageId: event_id            # optional: a column that tells every line from every other
    properties:                    # by event name; 'all events' is added to each
      all events:
        category: category_code    #   our name <- their column, as text
      Product Viewed:
        price: {column: price, type: number}     # type: text, number, or count (a whole number)
        currency: {value: USD}                   # the same on every line
      Order Completed:
        products: [{product_id: item, price: {column: price, type: number}, quantity: {value: 1}}]

For jsonl a column is a key, and ``a.b`` is the key b in the object a. An empty value leaves the property out. An amount
needs the currency of the settings, or one with a rate: where the data says none, leave ``currency`` out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import yaml

from stream.errors import UserError
from stream.history.document import Document, Scalar, did_you_mean
from stream.history.times import strptime_mistake

Kind = Literal["csv", "columns", "jsonl"]
Type = Literal["text", "number", "count"]
Unit = Literal["s", "ms", "us"]

ALL_EVENTS = "all events"


@dataclass(frozen=True, slots=True)
class Format:
    """How lines are cut into columns; ``columns`` is None where the file's first line names them (and for jsonl)."""

    kind: Kind
    delimiter: str
    columns: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class TimeRule:
    """Where the time is and how it is written: a unit since the epoch, or a strptime format (or ``iso``) in a zone."""

    column: str
    unit: Unit | None
    format: str | None
    zone: str


@dataclass(frozen=True, slots=True)
class Column:
    """A property that is read from a column."""

    name: str
    type: Type = "text"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A property that is the same on every line."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class OneProduct:
    """The ``products`` of a line that tells of one product: a list of one object with these properties."""

    properties: dict[str, Column | Fixed]


Property = Column | Fixed | OneProduct


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping file; the module's docstring is the schema."""

    file: str
    format: Format
    user: str | None
    anonymous: str | None
    time: TimeRule
    event: str | None
    event_column: str | None
    event_names: dict[str, str]
    message_id: str | None
    properties: dict[str, dict[str, Property]]

    def columns(self) -> list[str]:
        """Every column that the mapping names, each once."""
        named = [self.user, self.anonymous, self.time.column, self.event_column, self.message_id]
        for properties in self.properties.values():
            for rule in properties.values():
                inner = rule.properties.values() if isinstance(rule, OneProduct) else [rule]
                named += [part.name for part in inner if isinstance(part, Column)]
        return list(dict.fromkeys(name for name in named if name is not None))


def load_mapping(path: str | Path) -> Mapping:
    """Reads and checks a mapping file; UserError with every mistake, one a line, each with file, line and column."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"there is no mapping file {path}: give the path of one, such as those in config/mappings"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the mapping file {path} cannot be read: {error}") from None
    return parse_mapping(text, str(path))


def parse_mapping(text: str, file: str) -> Mapping:
    """Checks the text of a mapping file; ``file`` names it in mistakes. UserError with all of them."""
    document = Document(file)
    root = document.parse(text)
    mapping = _Checker(document).mapping(root) if root is not None else None
    mistakes = document.mistakes()
    if mapping is None or mistakes:
        raise UserError("\n".join(mistakes))
    return mapping


class _Checker:
    """Walks the document once; every method returns what it could read and notes the rest as mistakes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        #: column -> the first node that names it, to check them against a file without a header
        self.named: list[tuple[yaml.Node, str]] = []

    def mapping(self, root: yaml.Node) -> Mapping | None:
        known = ("format", "customer", "time", "event", "messageId", "properties")
        parts = self.document.table(root, "a mapping", known)
        for needed in ("format", "customer", "time", "event"):
            if needed not in parts and isinstance(root, yaml.MappingNode):
                self.document.mistake(root, f"a mapping needs '{needed}'")
        form = self.format(parts["format"]) if "format" in parts else None
        user, anonymous = self.customer(parts["customer"]) if "customer" in parts else (None, None)
        time = self.time(parts["time"]) if "time" in parts else None
        event, column, names = self.event(parts["event"]) if "event" in parts else (None, None, {})
        message_id = self.column(parts["messageId"], "messageId") if "messageId" in parts else None
        produced = {event} if event else set(names.values())
        properties = self.properties(parts["properties"], produced) if "properties" in parts else {}
        if form is None or time is None:
            return None
        self.check_columns(form)
        return Mapping(self.document.file, form, user, anonymous, time, event, column, names, message_id, properties)

    def column(self, node: yaml.Node, what: str) -> str | None:
        name = self.document.text(node, what)
        if name is not None:
            self.named.append((node, name))
        return name

    def check_columns(self, form: Format) -> None:
        """Without a header the mapping itself says which columns there are, so a wrong name is a mistake here."""
        if form.columns is None:
            return
        for node, name in self.named:
            if name not in form.columns:
                self.document.mistake(node, f"format.columns has no '{name}'{did_you_mean(name, form.columns)}")

    def format(self, node: yaml.Node) -> Format | None:
        parts = self.document.table(node, "format", ("kind", "delimiter", "header", "columns"))
        kinds: tuple[Kind, ...] = ("csv", "columns", "jsonl")
        kind = self.document.choice(parts["kind"], "format.kind", kinds) if "kind" in parts else None
        if "kind" not in parts and isinstance(node, yaml.MappingNode):
            self.document.mistake(node, "format needs 'kind': csv, columns or jsonl")
        header = self.document.flag(parts["header"], "format.header") if "header" in parts else True
        columns = self.document.texts(parts["columns"], "format.columns") if "columns" in parts else []
        for key in (
            ("delimiter", "header", "columns") if kind == "jsonl" else ("delimiter",) if kind == "columns" else ()
        ):
            if key in parts:
                self.document.mistake(parts[key], f"format.{key} has no meaning where kind is {kind}")
        if kind != "jsonl" and header is False and "columns" not in parts:
            self.document.mistake(parts["header"], "without a header, format needs 'columns': the names in their order")
        if kind != "jsonl" and header and "columns" in parts:
            self.document.mistake(parts["columns"], "format.columns is for files without a header: add 'header: false'")
        delimiter = self.delimiter(parts["delimiter"]) if "delimiter" in parts else ","
        return Format(kind, delimiter, tuple(columns) if columns else None) if kind else None

    def delimiter(self, node: yaml.Node) -> str:
        text = self.document.text(node, "format.delimiter") or ","
        text = "\t" if text == "\\t" else text
        if len(text) != 1 or text in '"\r\n':
            self.document.mistake(node, "format.delimiter must be one character, or \\t")
            return ","
        return text

    def customer(self, node: yaml.Node) -> tuple[str | None, str | None]:
        parts = self.document.table(node, "customer", ("userId", "anonymousId"))
        if not parts and isinstance(node, yaml.MappingNode):
            self.document.mistake(node, "customer needs userId or anonymousId: the column of the customer")
        user, anonymous = (
            self.column(parts[key], f"customer.{key}") if key in parts else None for key in ("userId", "anonymousId")
        )
        return user, anonymous

    def time(self, node: yaml.Node) -> TimeRule | None:
        parts = self.document.table(node, "time", ("column", "unit", "format", "zone"))
        if not isinstance(node, yaml.MappingNode):
            return None
        if "column" not in parts:
            self.document.mistake(node, "time needs 'column'")
        if ("unit" in parts) == ("format" in parts):
            self.document.mistake(
                node, "time needs either 'unit' (s, ms, us since 1970) or 'format' (strptime, or iso)"
            )
        column = self.column(parts["column"], "time.column") if "column" in parts else None
        units: tuple[Unit, ...] = ("s", "ms", "us")
        unit = self.document.choice(parts["unit"], "time.unit", units) if "unit" in parts else None
        form = self.document.text(parts["format"], "time.format") if "format" in parts else None
        if form is not None and (wrong := strptime_mistake(form)):
            self.document.mistake(parts["format"], f"time.format: {wrong}")
        if unit is not None and "zone" in parts:
            self.document.mistake(parts["zone"], "time.zone has no meaning with a unit: counts since 1970 are UTC")
        zone = self.zone(parts["zone"]) if "zone" in parts else "UTC"
        return TimeRule(column, unit, form, zone) if column is not None else None

    def zone(self, node: yaml.Node) -> str:
        name = self.document.text(node, "time.zone") or "UTC"
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            self.document.mistake(node, f"time.zone '{name}' is no time zone; they are written like Europe/Berlin")
        return name

    def event(self, node: yaml.Node) -> tuple[str | None, str | None, dict[str, str]]:
        parts = self.document.table(node, "event", ("name", "column", "names"))
        if ("name" in parts) == ("column" in parts) and isinstance(node, yaml.MappingNode):
            self.document.mistake(node, "event needs either 'name' (of every line) or 'column'")
        if "names" in parts and "column" not in parts:
            self.document.mistake(parts["names"], "event.names translates a column: name it with 'column'")
        name = self.document.text(parts["name"], "event.name") if "name" in parts else None
        column = self.column(parts["column"], "event.column") if "column" in parts else None
        names: dict[str, str] = {}
        for theirs, ours in (self.document.table(parts["names"], "event.names") if "names" in parts else {}).items():
            names[theirs] = self.document.text(ours, f"event.names.{theirs}") or theirs
        return name, column, names

    def properties(self, node: yaml.Node, produced: set[str]) -> dict[str, dict[str, Property]]:
        """``produced``: the event names that the mapping can yield; empty if the column's own names are taken."""
        known = [ALL_EVENTS, *sorted(produced)] if produced else None
        return {
            event: {
                name: self.rule(rule, f"properties.{event}.{name}", name)
                for name, rule in self.document.table(group, f"properties.{event}").items()
            }
            for event, group in self.document.table(node, "properties", known).items()
        }

    def rule(self, node: yaml.Node, what: str, name: str) -> Property:
        if name != "products":
            return self.plain(node, what)
        if not isinstance(node, yaml.SequenceNode) or len(node.value) != 1:
            self.document.mistake(node, f"{what} must be a list of one product: [{{product_id: their_column}}]")
            return OneProduct({})
        product = self.document.table(node.value[0], what)
        return OneProduct({key: self.plain(value, f"{what}.{key}") for key, value in product.items()})

    def plain(self, node: yaml.Node, what: str) -> Column | Fixed:
        """A column's name alone, ``{column, type}`` or ``{value}``; a placeholder where it is none of them."""
        if isinstance(node, yaml.ScalarNode):
            return Column(self.column(node, what) or "")
        parts = self.document.table(node, what, ("column", "type", "value"))
        if isinstance(node, yaml.MappingNode) and ("column" in parts) == ("value" in parts):
            self.document.mistake(node, f"{what} needs either 'column' or 'value'")
        if "value" in parts and "type" in parts:
            self.document.mistake(parts["type"], f"{what}.type is for a column; a value is what it is written as")
        types: tuple[Type, ...] = ("text", "number", "count")
        kind = (self.document.choice(parts["type"], f"{what}.type", types) if "type" in parts else None) or "text"
        if "value" in parts:
            value = self.document.scalar(parts["value"], f"{what}.value")
            return Fixed("" if value is None else value)
        return Column((self.column(parts["column"], f"{what}.column") if "column" in parts else None) or "", kind)

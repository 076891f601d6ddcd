"""YAML with places: a mapping whose every value still knows its line and column, and whose reading notes mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from stream.durations import parse_bounded
from stream.plan.problems import Place, Problems, suggest

#: Most digits of a whole number; no key has a use for more.
LONGEST_NUMBER = 9


@dataclass(frozen=True)
class Value:
    """One YAML node and what reads it."""

    node: yaml.Node
    file: str
    problems: Problems

    @property
    def place(self) -> Place:
        """Where it starts."""
        return Place(self.file, self.node.start_mark.line + 1, self.node.start_mark.column + 1)

    def wrong(self, message: str) -> None:
        """Note a mistake at this value."""
        self.problems.add(self.place, message)

    def text(self) -> str:
        """The scalar as it is written."""
        if isinstance(self.node, yaml.ScalarNode):
            return str(self.node.value)
        self.wrong("expected a single value here, not a list or a mapping")
        return ""

    def texts(self) -> tuple[str, ...]:
        """One text or a list of them."""
        if isinstance(self.node, yaml.SequenceNode):
            return tuple(Value(n, self.file, self.problems).text() for n in self.node.value)
        return (self.text(),)

    def whole(self) -> int:
        """A whole number, not negative."""
        text = self.text()
        if text.isdecimal() and len(text) <= LONGEST_NUMBER:
            return int(text)
        most = f" of at most {LONGEST_NUMBER} digits" if text.isdecimal() else ""
        self.wrong(f"expected a whole number{most}, not {text[:40]!r}")
        return 0

    def truth(self) -> bool:
        """true or false."""
        text = self.text().lower()
        if text not in ("true", "false"):
            self.wrong(f"expected true or false, not {text[:40]!r}")
        return text == "true"

    def duration(self) -> int:
        """A duration such as 30d, in milliseconds."""
        try:
            return parse_bounded(self.text())
        except ValueError as error:
            self.wrong(str(error))
            return 1

    def items(self) -> list[Value]:
        """The members of a list."""
        if isinstance(self.node, yaml.SequenceNode):
            return [Value(n, self.file, self.problems) for n in self.node.value]
        self.wrong("expected a list here")
        return []

    def mapping(self) -> Mapping:
        """The keys and values of a mapping."""
        found: dict[str, Value] = {}
        keys: dict[str, Value] = {}
        if isinstance(self.node, yaml.MappingNode):
            for key, value in self.node.value:
                name = str(key.value)
                if name in found:
                    Value(key, self.file, self.problems).wrong(f"{name!r} is given twice; keep one")
                found[name] = Value(value, self.file, self.problems)
                keys[name] = Value(key, self.file, self.problems)
        else:
            self.wrong("expected a mapping (key: value) here")
        return Mapping(self, found, keys)


@dataclass
class Mapping:
    """The entries of a YAML mapping; :meth:`only` refuses what nobody reads."""

    value: Value
    entries: dict[str, Value]
    #: The keys themselves, for what is wrong with them.
    keys: dict[str, Value]

    def get(self, key: str) -> Value | None:
        """The value, or None where the key is absent."""
        return self.entries.get(key)

    def require(self, key: str) -> Value | None:
        """The value; its absence is a mistake."""
        if key not in self.entries:
            self.value.wrong(f"{key!r} is missing here")
        return self.entries.get(key)

    def only(self, *keys: str) -> None:
        """Every other key is a mistake, with a suggestion."""
        for name in self.entries:
            if name not in keys:
                self.keys[name].wrong(f"{name!r} is not a key here{suggest(name, keys)}")


def parse_document(text: str, file: str, problems: Problems) -> Value | None:
    """The root of one YAML file, or None where it is not YAML or empty (noted)."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        problems.add(place, f"this is not valid YAML: {error.problem or error.context}")
        return None
    except RecursionError:
        problems.add(Place(file, 1, 1), "this is nested too deeply to be a definition; a few levels are enough")
        return None
    except yaml.YAMLError as error:
        problems.add(Place(file, 1, 1), f"this is not valid YAML: {str(error).splitlines()[0]}")
        return None
    if node is None:
        problems.add(Place(file, 1, 1), "the file is empty; a definition starts with 'dimension: NAME'")
        return None
    return Value(node, file, problems)

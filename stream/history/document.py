"""A YAML file whose mistakes are known by line and column, and reported all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import yaml

Choice = TypeVar("Choice", bound=str)

Scalar = str | int | float | bool

_KINDS = {yaml.MappingNode: "a table of keys", yaml.SequenceNode: "a list", yaml.ScalarNode: "one value"}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest known word, else nothing.

    >>> did_you_mean("colum", ["column", "unit"])
    " (did you mean 'column'?)"
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


@dataclass
class Document:
    """One YAML file while it is checked: its name and the mistakes found so far, in the order of the file."""

    file: str
    _found: list[tuple[int, int, str]] = field(default_factory=list)

    def parse(self, text: str) -> yaml.Node | None:
        """The root of the file, or None where it is no YAML or is empty (which is noted)."""
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            self._found.append((mark.line if mark else 0, mark.column if mark else 0, f"not YAML: {error.problem}"))
            return None
        except yaml.YAMLError as error:
            self._found.append((0, 0, f"not YAML: {' '.join(str(error).split())}"))
            return None
        if root is None:
            self._found.append((0, 0, "the file is empty"))
        return root

    def mistake(self, node: yaml.Node, sentence: str) -> None:
        """Notes a mistake at the beginning of a node."""
        self._found.append((node.start_mark.line, node.start_mark.column, sentence))

    def mistakes(self) -> list[str]:
        """``file:line:column: what is wrong``, counted from 1, in the order of the file, each once."""
        return [f"{self.file}:{line + 1}:{column + 1}: {what}" for line, column, what in sorted(set(self._found))]

    def table(self, node: yaml.Node, what: str, known: Iterable[str] | None = None) -> dict[str, yaml.Node]:
        """The entries of a table of keys; with ``known``, other keys are mistakes. Empty if it is no table."""
        if not isinstance(node, yaml.MappingNode):
            self.mistake(node, f"{what} must be a table of keys, not {_KINDS[type(node)]}")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self.text(key, f"a key of {what}")
            if name is None:
                continue
            if name in entries:
                self.mistake(key, f"'{name}' is given twice in {what}")
            elif known is not None and name not in known:
                self.mistake(key, f"{what} knows no '{name}'{did_you_mean(name, known)}; it knows {', '.join(known)}")
            else:
                entries[name] = value
        return entries

    def text(self, node: yaml.Node, what: str) -> str | None:
        """The text of one value, as it is written; numbers too, since columns may be called 1 or 2015."""
        if isinstance(node, yaml.ScalarNode) and node.value != "":
            return str(node.value)
        self.mistake(
            node, f"{what} must be a text, not {'empty' if isinstance(node, yaml.ScalarNode) else 'a collection'}"
        )
        return None

    def choice(self, node: yaml.Node, what: str, options: tuple[Choice, ...]) -> Choice | None:
        """One of the options, or None and a mistake."""
        word = self.text(node, what)
        for option in options:
            if option == word:
                return option
        if word is not None:
            self.mistake(node, f"{what} must be one of {', '.join(options)}, not '{word}'{did_you_mean(word, options)}")
        return None

    def flag(self, node: yaml.Node, what: str) -> bool | None:
        """true or false, or None and a mistake."""
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:bool":
            return bool(yaml.SafeLoader.bool_values[node.value.lower()])
        self.mistake(node, f"{what} must be true or false")
        return None

    def texts(self, node: yaml.Node, what: str) -> list[str]:
        """A list of different texts; empty where it is none."""
        if not isinstance(node, yaml.SequenceNode):
            self.mistake(node, f"{what} must be a list")
            return []
        found: list[str] = []
        for entry in node.value:
            name = self.text(entry, f"an entry of {what}")
            if name in found:
                self.mistake(entry, f"'{name}' is given twice in {what}")
            elif name is not None:
                found.append(name)
        return found

    def scalar(self, node: yaml.Node, what: str) -> Scalar | None:
        """A fixed text, number or true/false; a date stays the text it is."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self.mistake(node, f"{what} must be a text, a number, true or false")
            return None
        kind = node.tag.rpartition(":")[2]
        if kind not in ("int", "float", "bool"):
            return str(node.value)
        value: int | float | bool = yaml.safe_load(node.value)
        return value

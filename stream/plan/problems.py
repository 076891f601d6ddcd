"""Mistakes in what an operator wrote: collected, so that all are reported at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from stream.errors import UserError


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A spot in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass
class Problems:
    """The mistakes found so far."""

    found: list[tuple[Place, str]] = field(default_factory=list)

    def add(self, place: Place, message: str) -> None:
        """Note one mistake."""
        self.found.append((place, message))

    def raise_any(self) -> None:
        """Raise :class:`DefinitionError` with all of them, in the order of the files' lines, if there are any."""
        if self.found:
            raise DefinitionError(sorted(set(self.found)))


class DefinitionError(UserError):
    """One or more mistakes in definitions, one line each."""

    def __init__(self, found: Iterable[tuple[Place, str]]) -> None:
        self.found = list(found)
        super().__init__("\n".join(f"{place}: {message}" for place, message in self.found))


class ExpressionError(Exception):
    """Mistakes in one expression, each a column (from 0) in its own text and a sentence; ``column`` and ``message`` are
    those of the first."""

    def __init__(self, column: int, message: str, further: Iterable[tuple[int, str]] = ()) -> None:
        super().__init__(message)
        self.column = column
        self.message = message
        self.found = [(column, message), *further]


def suggest(word: str, known: Iterable[str], *, list_all: bool = True) -> str:
    """``; did you mean 'orders'?`` or, where nothing is near, what there is (with ``list_all``)."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are: {', '.join(names)}" if names and list_all else ""

"""What the condition language writes that Python's syntax does not: ``30d``, ``20%``, ``top 20%``.

Each becomes something that Python's parser reads: a name that stands for the literal, or a plain number; and every
character of the new text knows the column it came from, for messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from stream.durations import parse_bounded
from stream.plan.problems import ExpressionError

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')
      |(?P<part>(?<![\w.])(?:top|bottom)\s+\d+(?:\.\d+)?(?:\s*%|\b)(?![\w.(]))
      |(?P<percent>(?<![\w.])\d+(?:\.\d+)?%(?!\s*(?!(?:and|or|in|not)\b)[\w.("']))
      |(?P<duration>(?<![\w.])\d+(?:ms|[dhms])(?:\d+(?:ms|[hms]))*(?!\w))
      |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_DURATION = re.compile(r"duration_(\d+)_ms")
_PART = re.compile(r"part_(top|bottom)_(\d+)_(\d+)_percent")


@dataclass(frozen=True)
class Part:
    """``top 20%`` or ``bottom 20%`` of the customers; ``share`` from 0 to 1."""

    top: bool
    share: float


@dataclass(frozen=True)
class Lexed:
    """A text for Python's parser, and where each of its characters comes from."""

    text: str
    origin: list[int]
    #: The columns, as it was written, at which a percentage stands.
    percents: frozenset[int] = frozenset()

    @property
    def place(self) -> Callable[[int], int]:
        """From a column of the parser's, which counts bytes, to a column of the text as it was written."""
        shift = len(self.text) - len(self.text.lstrip())
        encoded = self.text.strip().encode()
        return lambda offset: self.origin[min(len(encoded[:offset].decode()) + shift, len(self.origin) - 1)]


def lex(source: str) -> Lexed:
    """The text with its literals renamed; raises :class:`ExpressionError` where one cannot be read."""
    out: list[str] = []
    origin: list[int] = []
    percents = set()
    for match in _TOKEN.finditer(source.replace("\n", " ")):
        piece = _piece(match)
        same = piece == match[0]
        origin += range(match.start(), match.end()) if same else [match.start()] * len(piece)
        out.append(piece)
        if match["percent"]:
            percents.add(match.start())
    return Lexed("".join(out), origin, frozenset(percents))


def _piece(match: re.Match[str]) -> str:
    at, text = match.start(), match[0]
    if match["duration"]:
        try:
            return f"duration_{parse_bounded(text)}_ms"
        except ValueError as error:
            raise ExpressionError(at, str(error)) from error
    if match["percent"]:
        return repr(as_share(text[:-1]))
    if match["part"]:
        word, number = text.rstrip("%").split()
        if not text.endswith("%"):
            raise ExpressionError(at, f"write the share of the customers in percent: `{word} {number}%`")
        whole, _, fraction = number.partition(".")
        return f"part_{word}_{whole}_{fraction or 0}_percent"
    return text


def as_share(percent: str) -> float:
    """A percentage as a share, without the noise of binary fractions."""
    return round(float(percent) / 100, 12)


def duration_named(name: str) -> float | None:
    """The milliseconds that a name stands for, or None."""
    match = _DURATION.fullmatch(name)
    return float(match[1]) if match else None


def part_named(name: str) -> Part | None:
    """The part of the customers that a name stands for, or None."""
    match = _PART.fullmatch(name)
    return Part(match[1] == "top", as_share(f"{match[2]}.{match[3]}")) if match else None

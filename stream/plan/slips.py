"""The commonest slips in conditions and filters that Python's parser refuses, and what to write instead."""

from __future__ import annotations

import re

_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
#: Words for lengths of time, by how they begin: the unit to write, and how many of it.
_TIMES = {
    **dict.fromkeys(("d", "day", "days"), ("d", 1)),
    **dict.fromkeys(("w", "week", "weeks"), ("d", 7)),
    **dict.fromkeys(("mo", "month", "months"), ("d", 30)),
    **dict.fromkeys(("y", "year", "years"), ("d", 365)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), ("h", 1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), ("m", 1)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), ("s", 1)),
}
_TIME = re.compile(rf"(?<![\w.])(\d+)\s*({'|'.join(sorted(_TIMES, key=len, reverse=True))})(?!\w)", re.IGNORECASE)
_MONEY = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*(?:(?!AND|NOT)[A-Z]{3}\b|[€$£¥])|[€$£¥]\s*(\d+(?:\.\d+)?)")
_PART = re.compile(r"(?<![\w.])(top|bottom)\s+(\d+(?:\.\d+)?)\s*%?\s+of\s+([A-Za-z_][\w.]*)")
_THE_PART = re.compile(r"(?<![\w.])the\s+(?:top|bottom)\b")
_NEGATIVE_PART = re.compile(r"(?<![\w.])(?:top|bottom)\s*-")
_WORD = re.compile(r"\b(?:AND|OR|NOT|IN|And|Or|Not|In)\b")
_BETWEEN = re.compile(r"([A-Za-z_][\w.]*)\s+between\s+([\w.]+)\s+and\s+([\w.]+)", re.IGNORECASE)
_ENDS = re.compile(r"(?<![\w.])(?:and|or|not|in)$|(?:[-+*/<>=,]+)$")
_BEGINS = re.compile(r"^(?:(?:and|or|in)\b|[*/<>=,]+)")
#: What other languages write, and how it is written here.
_SIGNS = (
    ("===", "=="),
    ("!==", "!="),
    ("=>", ">="),
    ("=<", "<="),
    ("<>", "!="),
    ("&&", "and"),
    ("||", "or"),
)
_SIGN = re.compile(r"!==|===|=>|=<|<>|&&|\|\||(?<![<>=!])=(?!=)|!(?!=)")


def negative_part(source: str) -> tuple[int, str] | None:
    """``in top -5%``, which could be read as a subtraction: where, and what to write instead."""
    found = _NEGATIVE_PART.search(_masked(source))
    return (found.start(), "a part of the customers is more than 0% and less than 100%") if found else None


def slip(source: str, example: str) -> tuple[int, str] | None:
    """Where the first known slip stands in what cannot be parsed, and a sentence; ``example`` is of what is good."""
    if not source.strip():
        return 0, f"nothing stands here; write for instance `{example}`"
    text = _masked(source)
    for quote in "\"'":
        if quote in text:
            return text.index(quote), f"this quote is not closed; write a text between two: {quote}shoes{quote}"
    found = [(at, order, why) for order, (at, why) in enumerate(_slips(text)) if at >= 0]
    if not found:
        return None
    at, _, why = min(found)
    return at, why


def _masked(source: str) -> str:
    """The same columns without what stands in quotes."""
    return _QUOTED.sub(lambda match: "_" * len(match[0]), source.replace("\n", " "))


def _slips(text: str) -> list[tuple[int, str]]:
    """Where each kind of slip is, and what to write."""
    found: list[tuple[int, str]] = []
    signs = dict(_SIGNS)
    for match in _SIGN.finditer(text):
        sign = match[0]
        wanted = signs.get(sign) or ("==" if sign == "=" else "not")
        found.append((match.start(), f"write `{wanted}` instead of `{sign}`"))
    found += [(m.start(), f"write `{m[0].lower()}` in small letters") for m in _WORD.finditer(text)]
    for match in _BETWEEN.finditer(text):
        found.append((match.start(), f"write `{match[2]} <= {match[1]} <= {match[3]}`"))
    for match in _PART.finditer(text):
        found.append((match.start(), f"write `{match[3]} in {match[1]} {match[2]}%`"))
    found += [(m.start(), "leave out `the`: `spend in top 20%`") for m in _THE_PART.finditer(text)]
    for match in _TIME.finditer(text):
        unit, size = _TIMES[match[2].lower()]
        wanted = f"{int(match[1]) * size}{unit}" if len(match[1]) < 10 else "30d"
        if match[0] != wanted:
            found.append((match.start(), f"write the duration `{match[0]}` as `{wanted}`"))
    for match in _MONEY.finditer(text):
        found.append((match.start(), f"write an amount without its currency: `{match[1] or match[2]}`"))
    return [*found, *_brackets(text), *_ends(text)]


def _brackets(text: str) -> list[tuple[int, str]]:
    """The bracket that has no other, if there is one."""
    pairs = {")": "(", "]": "[", "}": "{"}
    open_: list[tuple[int, str]] = []
    for at, letter in enumerate(text):
        if letter in pairs.values():
            open_.append((at, letter))
        elif letter in pairs:
            if not open_ or open_[-1][1] != pairs[letter]:
                return [(at, f"this `{letter}` closes nothing")]
            open_.pop()
    return [(at, f"this `{letter}` is not closed") for at, letter in open_[-1:]]


def _ends(text: str) -> list[tuple[int, str]]:
    """A word or a sign at an end of the text that needs something beyond it."""
    stripped = text.rstrip()
    found = []
    if match := _ENDS.search(stripped):
        found.append((match.start(), f"something is missing behind `{match[0]}`"))
    if match := _BEGINS.search(text.lstrip()):
        found.append((len(text) - len(text.lstrip()), f"something is missing in front of `{match[0]}`"))
    return found

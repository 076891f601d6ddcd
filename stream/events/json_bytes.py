"""Pieces of JSON (RFC 8259) read in place from a buffer of bytes, as functions that compiled code can call.

They accept a subset and are sure of what they accept: strings without escapes, in valid UTF-8; numbers that a double
holds exactly as written (at most 15 digits).  Everything else, valid or not, is answered with ``NOT_SURE``, and whoever
asked reads the record in another way.  ``i`` is where a piece begins, ``end`` where the record ends; answers are where
the reading goes on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

NOT_SURE = -1
#: Nesting deeper than this is left to others.
DEEPEST = 60

QUOTE, BACKSLASH, COMMA, COLON = 0x22, 0x5C, 0x2C, 0x3A
OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST = 0x7B, 0x7D, 0x5B, 0x5D
_MINUS, _DOT, _ZERO, _NINE = 0x2D, 0x2E, 0x30, 0x39
_TRUE = np.frombuffer(b"true", np.uint8)
_FALSE = np.frombuffer(b"false", np.uint8)
_NULL = np.frombuffer(b"null", np.uint8)
#: Powers of ten that a double holds exactly.
_TENS = np.array([10.0**k for k in range(23)])
_MOST_DIGITS = 15


@register_jitable
def blank(b: Any, i: int, end: int) -> int:
    """Past white space."""
    while i < end and (b[i] == 0x20 or b[i] == 0x0A or b[i] == 0x0D or b[i] == 0x09):
        i += 1
    return i


@register_jitable
def _tail(b: Any, i: int, end: int) -> int:
    """Past one character that is not ASCII (RFC 3629: shortest form, no surrogates)."""
    lead = b[i]
    low, high = 0x80, 0xBF
    if 0xC2 <= lead <= 0xDF:
        more = 1
    elif 0xE0 <= lead <= 0xEF:
        more = 2
        low = 0xA0 if lead == 0xE0 else 0x80
        high = 0x9F if lead == 0xED else 0xBF
    elif 0xF0 <= lead <= 0xF4:
        more = 3
        low = 0x90 if lead == 0xF0 else 0x80
        high = 0x8F if lead == 0xF4 else 0xBF
    else:
        return NOT_SURE
    if i + more >= end or b[i + 1] < low or b[i + 1] > high:
        return NOT_SURE
    for k in range(2, more + 1):
        if b[i + k] < 0x80 or b[i + k] > 0xBF:
            return NOT_SURE
    return i + more + 1


@register_jitable
def text(b: Any, i: int, end: int) -> int:
    """The closing quote of the string that opens at ``i``: the text is what lies between them."""
    i += 1
    while i < end:
        c = b[i]
        if c == QUOTE:
            return i
        if c == BACKSLASH or c < 0x20:
            return NOT_SURE
        if c < 0x80:
            i += 1
        else:
            i = _tail(b, i, end)
            if i < 0:
                return NOT_SURE
    return NOT_SURE


@register_jitable
def digits(b: Any, i: int, end: int) -> int:
    """Past a run of digits."""
    while i < end and _ZERO <= b[i] <= _NINE:
        i += 1
    return i


@register_jitable
def number(b: Any, i: int, end: int) -> tuple[int, float]:
    """Past a number, and its value."""
    start = i + 1 if b[i] == _MINUS else i
    stop = digits(b, start, end)
    if stop == start or (b[start] == _ZERO and stop > start + 1):
        return NOT_SURE, 0.0
    whole = np.int64(0)
    for k in range(start, min(stop, start + _MOST_DIGITS)):
        whole = whole * 10 + (np.int64(b[k]) - _ZERO)
    count, shift, at = stop - start, 0, stop
    if at < end and b[at] == _DOT:
        after = digits(b, at + 1, end)
        shift = after - at - 1
        count += shift
        if shift == 0 or count > _MOST_DIGITS:
            return NOT_SURE, 0.0
        for k in range(at + 1, after):
            whole = whole * 10 + (np.int64(b[k]) - _ZERO)
        at = after
    if count > _MOST_DIGITS or (at < end and (b[at] == 0x45 or b[at] == 0x65)):
        return NOT_SURE, 0.0
    # Both are exact, so one division rounds correctly.
    value = whole / _TENS[shift]
    return at, -value if b[i] == _MINUS else value


@register_jitable
def _word(b: Any, i: int, end: int, word: Any) -> int:
    if i + len(word) > end:
        return NOT_SURE
    for k in range(len(word)):
        if b[i + k] != word[k]:
            return NOT_SURE
    return i + len(word)


@register_jitable
def null(b: Any, i: int, end: int) -> int:
    """Past ``null``."""
    return _word(b, i, end, _NULL)


@register_jitable
def _scalar(b: Any, i: int, end: int) -> int:
    """Past anything but an object or a list."""
    c = b[i]
    if c == QUOTE:
        closing = text(b, i, end)
        return closing + 1 if closing >= 0 else NOT_SURE
    if c == _MINUS or _ZERO <= c <= _NINE:
        return number(b, i, end)[0]
    if c == 0x74:
        return _word(b, i, end, _TRUE)
    return _word(b, i, end, _FALSE) if c == 0x66 else _word(b, i, end, _NULL)


@register_jitable
def key(b: Any, i: int, end: int) -> tuple[int, int]:
    """The closing quote of a key that opens at ``i``, and where its value begins."""
    if i >= end or b[i] != QUOTE:
        return NOT_SURE, NOT_SURE
    closing = text(b, i, end)
    if closing < 0:
        return NOT_SURE, NOT_SURE
    at = blank(b, closing + 1, end)
    if at >= end or b[at] != COLON:
        return NOT_SURE, NOT_SURE
    at = blank(b, at + 1, end)
    return (closing, at) if at < end else (NOT_SURE, NOT_SURE)


@register_jitable
def following(b: Any, i: int, end: int, close: int) -> tuple[int, bool]:
    """After a member: where the next one begins (False), or past the closing bracket (True)."""
    i = blank(b, i, end)
    if i >= end:
        return NOT_SURE, True
    if b[i] == close:
        return i + 1, True
    return (blank(b, i + 1, end), False) if b[i] == COMMA else (NOT_SURE, True)


@register_jitable
def skip(b: Any, i: int, end: int) -> int:
    """Past any value, checking it."""
    objects = np.uint64(0)  # bit k: what is open at depth k is an object
    depth = 0
    while True:
        if i < 0 or i >= end:
            return NOT_SURE
        if b[i] == OPEN_OBJECT or b[i] == OPEN_LIST:
            is_object = b[i] == OPEN_OBJECT
            if depth >= DEEPEST:
                return NOT_SURE
            depth += 1
            objects = (objects << np.uint64(1)) | np.uint64(is_object)
            i = blank(b, i + 1, end)
            if i < end and b[i] == (CLOSE_OBJECT if is_object else CLOSE_LIST):
                done = True
                i += 1
            else:
                done = False
        else:
            i = _scalar(b, i, end)
            if i < 0 or depth == 0:
                return i
            i, done = following(b, i, end, CLOSE_OBJECT if objects & np.uint64(1) else CLOSE_LIST)
        while done:
            if i < 0:
                return NOT_SURE
            objects >>= np.uint64(1)
            depth -= 1
            if depth == 0:
                return i
            i, done = following(b, i, end, CLOSE_OBJECT if objects & np.uint64(1) else CLOSE_LIST)
        if i < 0:
            return NOT_SURE
        if objects & np.uint64(1):
            _, i = key(b, i, end)

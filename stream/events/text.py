"""Text as a 64-bit number: in a row, a category or a country is the hash of its name."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b


def id_hash(text: str | bytes) -> int:
    """A signed 64-bit hash of a text, or of its UTF-8; never 0, which stands for "no text"; the same on every machine,
    for ever."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    digest = blake2b(raw, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


#: The longest text, in characters, whose hash is remembered: what comes again and again is short, and texts of
#: megabytes would fill the memory.
LONGEST_REMEMBERED = 100
_remembered = lru_cache(maxsize=1 << 16)(id_hash)


def text_hash(text: str) -> int:
    """The same of a text that comes again and again, such as a product or a country."""
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else id_hash(text)

"""What a learned dimension says beside its vector: how many clusters, by what margin people move, words for names."""

from __future__ import annotations

import re
from collections.abc import Collection

from yaml import MappingNode

from stream.plan.document import Mapping, Value
from stream.plan.problems import suggest

#: Most clusters of a learned dimension.
MOST_CLUSTERS = 256
#: By how much nearer another cluster has to be where nobody says otherwise.
MARGIN = 0.1
#: A share as definitions write it.
PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?%")


def clusters_of(value: Value) -> tuple[int, int]:
    """How many clusters, least and most: one number, or ``{from: 3, to: 10}``."""
    if isinstance(value.node, MappingNode):
        limits = value.mapping()
        limits.only("from", "to")
        first, last = limits.require("from"), limits.require("to")
        least, most = (end.whole() if end else 1 for end in (first, last))
        if first and last and least > most:
            first.wrong("'from' is the least number of clusters and 'to' the most; exchange them")
    else:
        least = most = value.whole()
    if not 1 <= min(least, most) <= max(least, most) <= MOST_CLUSTERS:
        value.wrong(f"'clusters' is a number from 1 to {MOST_CLUSTERS}, or a range of them: {{from: 3, to: 10}}")
        return 1, 1
    return min(least, most), max(least, most)


def margin_of(mapping: Mapping) -> float:
    """By how much nearer another cluster has to be."""
    value = mapping.get("margin")
    if value is None:
        return MARGIN
    text = value.text()
    share = float(text[:-1]) / 100 if PERCENT.fullmatch(text) else -1.0
    if not 0 <= share < 1:
        value.wrong("'margin' is a share of a distance, from 0% to below 100%, such as 10%")
        return MARGIN
    return share


def words_of(mapping: Mapping, parts: Collection[str]) -> dict[str, tuple[str, str]]:
    """What having little or much of a part of the vector is called."""
    value = mapping.get("words")
    found: dict[str, tuple[str, str]] = {}
    for part, pair in value.mapping().entries.items() if value else ():
        if part not in parts:
            pair.wrong(f"there is no part {part!r} in 'vector'{suggest(part, parts)}")
        words = pair.texts()
        if len(words) != 2 or not all(word.strip() and word.isprintable() for word in words):
            pair.wrong(f"expected two words, for little and for much of {part!r}, such as [recent, long ago]")
        else:
            found[part] = (words[0], words[1])
    return found

"""What the oracle knows of one customer.  See :mod:`tests.oracle`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oracle.features import Happened


@dataclass
class Customer:
    """All that is known of one customer."""

    name: str
    segments: dict[str, str | None]
    latest: int
    judged: int
    seen: int
    past: list[Happened] = field(default_factory=list)
    entered: dict[str, int] = field(default_factory=dict)
    before: dict[str, str | None] = field(default_factory=dict)
    #: Dimension and segment -> when it was last left.
    left: dict[tuple[str, str | None], int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

"""The time zone that a customer's trait names: what features carry instead of the table of one zone for all."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class OwnZone:
    """``{trait: timezone, of: Identify, else: Europe/Berlin}``.

    ``path`` is the property (trait) of the events ``of`` that names the zone (IANA), ``other`` the zone of a customer
    of whom none is known.
    """

    path: str
    of: tuple[str, ...]
    other: str

    @property
    def name(self) -> str:
        """What the function is called in a generated module that gives the table of a row's zone."""
        words = "_".join((self.path, *self.of, self.other))
        return "own_zone_" + re.sub(r"\W", lambda sign: f"_{ord(sign[0]):x}_", words)

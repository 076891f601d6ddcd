"""Options that are an instant: ``2026-01-31``, ``2026-01-31T09:15:02Z`` or ``now``."""

from __future__ import annotations

import time

import click

from stream.events.instant import parse_iso


class InstantType(click.ParamType):
    """Milliseconds since the epoch; without an offset the text is UTC."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A number is taken as it is: it is a default."""
        if isinstance(value, int):
            return value
        if value == "now":
            return int(time.time() * 1000)
        try:
            return parse_iso(str(value))
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no instant: write it like 2026-01-31 or 2026-01-31T09:15:02Z, or 'now'", param, ctx
            )


INSTANT = InstantType()

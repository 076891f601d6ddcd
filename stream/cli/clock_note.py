"""A word to whoever sends the past to workers that live in the present."""

from __future__ import annotations

import time

import click

from stream.events.instant import iso
from stream.settings import Settings

_DAY_MS = 86_400_000


def note_on_history(settings: Settings, instant_ms: int) -> None:
    """Say so where events are more than a day old but the settings have the wall clock."""
    if settings.time.clock == "wall" and instant_ms < time.time() * 1000 - _DAY_MS:
        click.echo(
            f"note: events of {iso(instant_ms)[:10]} and time.clock is wall: workers that have read all there is take "
            "it for now, so what is sent after that is late. For history or compressed time, start the workers with "
            "SEGSTREAM_TIME__CLOCK=event.",
            err=True,
        )

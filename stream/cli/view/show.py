"""Shows the view as it changes: on a terminal as a picture, elsewhere as one line a change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.live import Live

from stream.cli.view.screen import draw
from stream.cli.view.source import Source
from stream.cli.view.state import View
from stream.cli.view.words import plain_line
from stream.errors import UserError
from stream.kafka.client import connect_or_explain
from stream.settings import Settings

#: How often the picture is drawn, and how many lines the feed grows by each time: what an eye can follow.
DRAW_EVERY_S = 0.5
LINES_A_TURN = 1
#: How often the broker is looked at, and how long it may be away before that is the end, in seconds.
LOOK_EVERY_S, AWAY_AT_MOST_S = 3.0, 15.0


class Show:
    """A view, where it comes from, and how it is shown. ``subtitle`` is the second line of the picture."""

    def __init__(self, source: Source, view: View, *, plain: bool, subtitle: str) -> None:
        self.view, self.subtitle = view, subtitle
        self._source = source
        self._plain = plain

    async def first_change(self) -> None:
        """Returns when there is something to show."""
        while not self.view.changes:
            await self._step()

    async def run(self) -> None:
        """Shows without end; cancel it to stop."""
        if self._plain:
            while True:
                await self._step()
        console = Console()
        with Live(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as live:
            due = 0.0
            while True:
                await self._step()
                if time.monotonic() >= due:
                    due = time.monotonic() + DRAW_EVERY_S
                    self.view.loaded = await self._source.loaded()
                    self.view.turn(int(time.time() * 1000), LINES_A_TURN)
                    live.update(draw(self.view, *console.size, self.subtitle), refresh=True)

    async def _step(self) -> None:
        taken = await self._source.take(DRAW_EVERY_S / 4)
        for customer, segments in taken.placed:
            self.view.place(customer, segments)
        for move in taken.moves:
            if self.view.move(move) and self._plain:
                click.echo(plain_line(move, self.view.zone))


async def broker_gone(settings: Settings) -> None:
    """Returns never; raises `UserError` when the broker has been away for too long."""
    last_seen = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await connect_or_explain(settings, LOOK_EVERY_S)
            last_seen = time.monotonic()
        except UserError:
            if time.monotonic() - last_seen > AWAY_AT_MOST_S:
                raise


def check_wanted(wanted: Sequence[str], known: Mapping[str, Sequence[str]]) -> None:
    """`UserError` for a dimension that no definition has."""
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(f"no dimension {', '.join(unknown)}: there are {', '.join(known)}")

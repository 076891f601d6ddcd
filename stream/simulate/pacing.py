"""Plays events into a sink, as fast as it goes or so many times as fast as life."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stream.simulate.event import SimulatedEvent
from stream.simulate.sinks import Sink

#: How often events that have become due are sent together, in seconds: often enough to look continuous.
TICK_S = 0.02
#: How often a paced run tells the time, in seconds.
CLOCK_EVERY_S = 1.0
#: How many events are played before others get a turn: progress, a signal.
_TURN = 2000


@dataclass
class Played:
    """What has been played so far."""

    events: int = 0
    last_ms: int | None = None


async def play(
    events: Iterator[SimulatedEvent],
    sink: Sink,
    *,
    start_ms: int,
    speed: float | None,
    stop: asyncio.Event,
    told: Callable[[Played], None],
) -> Played:
    """Puts all events into the sink, until ``stop`` is set; what was put has arrived when it returns.

    ``speed`` is simulated time per real time (86400: a day a second), None as fast as it goes. Every event has a due
    instant of its own on the monotonic clock, so no delay adds up. While paced, the clock is told every second.
    """
    played = Played()
    if speed is None:
        await _play_on(events, sink, stop, told, played)
    else:
        await _play_paced(events, sink, start_ms, speed, stop, told, played)
    await sink.flush()
    told(played)
    return played


async def _play_on(
    events: Iterator[SimulatedEvent], sink: Sink, stop: asyncio.Event, told: Callable[[Played], None], played: Played
) -> None:
    for event in events:
        if sink.put(event):
            await sink.drain()
        played.events += 1
        played.last_ms = event.instant_ms
        if played.events % _TURN == 0:
            told(played)
            await asyncio.sleep(0)
            if stop.is_set():
                return


async def _play_paced(
    events: Iterator[SimulatedEvent],
    sink: Sink,
    start_ms: int,
    speed: float,
    stop: asyncio.Event,
    told: Callable[[Played], None],
    played: Played,
) -> None:
    began = time.monotonic()
    clock_due = began + CLOCK_EVERY_S
    event = next(events, None)
    while event is not None and not stop.is_set():
        now = time.monotonic()
        simulated = start_ms + int((now - began) * speed * 1000)
        for _ in range(_TURN):
            if event is None or event.instant_ms > simulated:
                break
            if sink.put(event):
                await sink.drain()
            played.events += 1
            played.last_ms = event.instant_ms
            event = next(events, None)
        late = event is not None and event.instant_ms <= simulated
        if now >= clock_due and event is not None:
            # Never ahead of the next event, also where the sink does not keep up with the speed.
            await sink.clock(min(simulated, event.instant_ms))
            clock_due += CLOCK_EVERY_S * (1 + int((now - clock_due) / CLOCK_EVERY_S))
        elif not late:
            await sink.flush()
        told(played)
        if event is not None and not late:
            due = began + (event.instant_ms - start_ms) / 1000 / speed
            await _until(max(min(due, clock_due), now + TICK_S), stop)


async def _until(moment: float, stop: asyncio.Event) -> None:
    """Returns at a moment of the monotonic clock, or as soon as ``stop`` is set."""
    try:
        async with asyncio.timeout(max(0.0, moment - time.monotonic())):
            await stop.wait()
    except TimeoutError:
        return

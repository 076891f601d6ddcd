"""Events are played when they are due, never before, and the clock never runs ahead of what is still to come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from stream.simulate.event import SimulatedEvent
from stream.simulate.pacing import Played, play
from stream.simulate.simulation import SimulationOptions, simulate

HOUR_MS = 3_600_000


class Diary:
    """A sink that remembers what came, and when."""

    def __init__(self) -> None:
        self.events: list[tuple[float, SimulatedEvent]] = []
        self.flushed = 0
        self.clocks: list[tuple[int, int]] = []

    def put(self, event: SimulatedEvent) -> bool:
        """Asks for room at every seventh event."""
        assert self.room > 0
        self.room -= 1
        self.events.append((time.monotonic(), event))
        return self.room == 0

    room = 7

    async def drain(self) -> None:
        """Makes room."""
        self.room = 7

    async def flush(self) -> None:
        """Notes how many events have arrived."""
        self.flushed = len(self.events)

    async def clock(self, instant_ms: int) -> None:
        """Notes the clock and how many events came before it."""
        self.clocks.append((instant_ms, len(self.events)))


def ignore(_: Played) -> None:
    """No progress bar."""


def hourly(count: int) -> Iterator[SimulatedEvent]:
    return (SimulatedEvent(n * HOUR_MS, "clickstream", b"k", b"%d" % n) for n in range(count))


async def played(
    events: Iterator[SimulatedEvent], speed: float | None, stop: asyncio.Event | None = None
) -> tuple[Diary, Played]:
    diary = Diary()
    result = await play(events, diary, start_ms=0, speed=speed, stop=stop or asyncio.Event(), told=ignore)
    return diary, result


@pytest.mark.parametrize("speed", [None, 1e12])
def test_everything_arrives_in_order_and_room_is_made_when_asked(speed: float | None) -> None:
    options = SimulationOptions(customers=50, days=20, start_ms=0)
    diary, result = asyncio.run(played(simulate(options), speed))
    assert [event for _, event in diary.events] == list(simulate(options))
    assert result.events == diary.flushed == len(diary.events)
    assert result.last_ms == diary.events[-1][1].instant_ms


def test_no_event_comes_before_it_is_due_and_delays_do_not_add_up() -> None:
    began = time.monotonic()
    diary, _ = asyncio.run(played(hourly(25), 24 * 3600))  # a day a second
    for at, event in diary.events:
        assert at - began >= event.instant_ms / 1000 / (24 * 3600)
    assert time.monotonic() - began >= 1.0


def test_the_clock_is_told_while_paced_and_never_ahead_of_the_next_event() -> None:
    diary, _ = asyncio.run(played(hourly(61), 24 * 3600))  # two and a half seconds
    assert diary.clocks
    for instant, before in diary.clocks:
        later = [event.instant_ms for _, event in diary.events[before:]]
        assert all(instant <= event for event in later)
        assert instant >= diary.events[before - 1][1].instant_ms


@pytest.mark.parametrize("speed", [None, 1.0])
def test_a_stop_ends_it_soon_with_everything_put_flushed(speed: float | None) -> None:
    async def stopped() -> tuple[Diary, Played]:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await played(hourly(10**9), speed, stop)

    diary, result = asyncio.run(stopped())
    assert 0 < result.events == diary.flushed < 10**9

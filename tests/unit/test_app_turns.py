"""Turns of the work in one event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from contextlib import suppress
from functools import partial
from weakref import ref

import pytest

from stream.app import turns
from stream.app.turns import Turns
from stream.engine.slices import Slices


@pytest.fixture(autouse=True)
def _a_turn_for_every_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.0)


def work(name: str, slices: int, log: list[str]) -> Slices[str]:
    """So many slices, each noted."""
    for _ in range(slices):
        log.append(name)
        yield
    return f"{name} is done"


def test_busy_shards_take_turns_and_between_two_of_them_others_have_theirs() -> None:
    """However many shards are busy, who asks something waits for one slice, not for one of each."""
    log: list[str] = []

    async def ask() -> None:
        while True:
            log.append("?")
            await asyncio.sleep(0)

    async def run() -> list[str]:
        shared = Turns()
        asking = asyncio.create_task(ask())
        done = await asyncio.gather(*(shared.run(work(name, 20, log)) for name in "abc"))
        asking.cancel()
        return done

    assert asyncio.run(run()) == ["a is done", "b is done", "c is done"]
    assert all("?" in log[k : k + 2] for k in range(len(log) - 1))
    worked = [one for one in log if one != "?"]
    assert worked == list("abc") * 20


def test_work_that_is_cancelled_lets_the_others_go_on() -> None:
    """A shard that is stopped in the middle of a step gives its turn back."""
    log: list[str] = []

    async def run() -> str:
        shared = Turns()
        stopped = asyncio.create_task(shared.run(work("a", 1_000_000, log)))
        for _ in range(5):
            await asyncio.sleep(0)
        stopped.cancel()
        with suppress(asyncio.CancelledError):
            await stopped
        return await shared.run(work("b", 3, log))

    assert asyncio.run(run()) == "b is done"
    assert log[-3:] == ["b", "b", "b"]


def test_another_thread_looks_between_two_turns() -> None:
    """Whoever looks from elsewhere sees nothing half done, and need not wait for all of the work."""
    half: list[bool] = [False]
    seen: list[bool] = []

    def changing() -> Slices[str]:
        """Each slice leaves things half done for so long that another thread could see it."""
        while len(seen) < 10:
            half[0] = True
            time.sleep(0.001)
            half[0] = False
            yield
        return "done"

    async def run() -> None:
        shared = Turns()

        async def look() -> None:
            for _ in range(10):
                await shared.look(lambda: seen.append(half[0]))

        async with asyncio.timeout(30):
            await asyncio.gather(shared.run(changing()), asyncio.to_thread(asyncio.run, look()))

    asyncio.run(run())
    assert seen == [False] * 10


def test_all_that_is_asked_during_a_turn_is_answered_at_its_end() -> None:
    """Not one question a turn: a busy worker would be asked more than it could answer."""
    began, asked = threading.Event(), threading.Event()
    log: list[str] = []

    def busy() -> Slices[str]:
        for number in range(3):
            log.append(f"turn {number}")
            began.set()
            assert asked.wait(30)
            yield
        return "done"

    async def run() -> None:
        shared = Turns()

        async def ask() -> None:
            await asyncio.to_thread(began.wait)
            questions = [asyncio.create_task(shared.look(partial(log.append, f"answer {n}"))) for n in range(5)]
            await asyncio.sleep(0)
            asked.set()
            await asyncio.gather(*questions)

        async with asyncio.timeout(30):
            await asyncio.gather(asyncio.to_thread(asyncio.run, ask()), shared.run(busy()))

    asyncio.run(run())
    assert log == ["turn 0", *(f"answer {n}" for n in range(5)), "turn 1", "turn 2"]


def test_a_question_is_answered_while_nobody_works_and_its_error_is_the_askers() -> None:
    """An error does not keep others from their answers, nor the shards from their next turn."""

    def unknown() -> None:
        raise KeyError("nobody")

    async def run() -> None:
        shared = Turns()
        failing = asyncio.create_task(shared.look(unknown))
        assert await shared.look(lambda: "known") == "known"
        with pytest.raises(KeyError):
            await failing
        assert await shared.run(work("a", 2, [])) == "a is done"

    asyncio.run(run())


def test_no_question_is_forgotten_however_the_threads_meet() -> None:
    """Who asks just as a turn ends is answered, too: by the turn, by the next one, or by themselves."""
    log: list[str] = []

    async def run() -> None:
        shared = Turns()

        async def ask() -> int:
            return sum([await shared.look(lambda: 1) for _ in range(2_000)])

        async with asyncio.timeout(60):
            working = asyncio.create_task(shared.run(work("a", 1_000_000_000, log)))
            counts = await asyncio.gather(*(asyncio.to_thread(asyncio.run, ask()) for _ in range(4)))
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        assert counts == [2_000] * 4

    asyncio.run(run())


def test_what_work_has_made_goes_when_nobody_has_it_any_more() -> None:
    """Steps make megabytes many times a second, and the garbage collector of a worker comes by seldom."""

    class Made:
        """What can be looked after by a weak reference."""

    def make() -> Slices[Made]:
        yield
        return Made()

    async def run() -> ref[Made]:
        return ref(await Turns().run(make()))

    gc.disable()
    try:
        assert asyncio.run(run())() is None
    finally:
        gc.enable()

"""Whether a worker lives, and whether it does its work now; if not, why."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from stream.app.runner import State

if TYPE_CHECKING:
    from stream.app.app import App

log = logging.getLogger(__name__)

#: Longest the thread of the consumer may take to answer, in seconds, before the worker counts as stuck.
STUCK_SECONDS = 5.0
#: A silence of Kafka is told after so many seconds, if two looks in a row find it.
SILENCE_SECONDS = 5.0
#: Seconds between two looks.
LOOK_SECONDS = 1.0

#: status of HTTP, and what to say
Answer = tuple[int, dict[str, Any]]


class Health:
    """What the health pages of a worker say.

    Parameters
    ----------
    app
        The worker's.
    silence
        Seconds without an answer from Kafka after which it is no longer ready.
    """

    def __init__(self, app: App, silence: float) -> None:
        self._app = app
        self._silence = silence

    async def live(self) -> Answer:
        """200 while the event loop and the thread of the consumer turn: a restart would mend nothing; else 503."""
        try:
            async with asyncio.timeout(STUCK_SECONDS):
                await self._app.shards.thread.in_thread(_turn)
        except TimeoutError:
            why = f"the thread that reads from Kafka has not answered for {STUCK_SECONDS:g} s: restart the worker"
            return 503, {"status": "stuck", "why": [why]}
        return 200, {"status": "live"}

    def ready(self) -> Answer:
        """200 while this worker is in the group, Kafka answers and all its shards are ready (it may have none); else
        503, with all reasons."""
        shards = self._app.shards
        waiting = {
            str(number): runner.doing
            for number, runner in sorted(shards.runners.items())
            if runner.state is not State.READY
        }
        why = []
        if self._app.ending:
            why.append("the worker is ending")
        elif not shards.joined:
            why.append("the group shares out the shards, and has given none to this worker yet")
        elif waiting:
            why.append(f"{len(waiting)} of {len(shards.runners)} shards are not ready")
        silent = shards.pulse.silent_for
        if silent > self._silence:
            why.append(f"Kafka has not answered for {silent:.0f} s")
        told: dict[str, Any] = {
            "ready": not why,
            "shards": len(shards.runners),
            "shards_ready": len(shards.ready()),
            "kafka_silent_seconds": round(silent, 1),
        }
        if why:
            told |= {"why": why, "not_ready": waiting}
        return (503 if why else 200), told


async def _turn() -> None:
    """What a loop that turns gets done."""


async def watch_silence(app: App, servers: str) -> None:
    """Tell once when Kafka has fallen silent, and once when it answers again, however many clients suffer from it.

    ``servers`` names the brokers. Runs until it is cancelled.
    """
    pulse = app.shards.pulse
    found, told = 0, 0.0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        silent = pulse.silent_for
        # One look alone may find that this process itself was standing still.
        found = found + 1 if silent > SILENCE_SECONDS else 0
        if found == 2:
            log.error(
                "Kafka (%s) has not answered for %.0f s: nothing is read or written meanwhile, and nothing is lost",
                servers,
                silent,
                extra={"seconds": round(silent, 1)},
            )
        if found:
            told = silent if found > 1 else 0.0
        elif told:
            log.info("Kafka answers again after %.0f s", told, extra={"seconds": round(told, 1)})
            told = 0.0

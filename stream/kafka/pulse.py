"""Whether Kafka answers: the instant of the last answer to any request of the clients that are watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Pulse:
    """The last answer of any broker.

    A member of a group sends heartbeats, and a reader fetches all the time, so a cluster that is well answers within a
    few seconds. Clients may live in several threads.

    Parameters
    ----------
    clock
        Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answered = clock()

    def beat(self) -> None:
        """A broker has answered."""
        self._answered = self._clock()

    @property
    def silent_for(self) -> float:
        """Seconds since the last answer."""
        return max(0.0, self._clock() - self._answered)

    def watch(self, client: Any) -> None:
        """Count every answer that this aiokafka client gets."""
        send = client.send

        async def answered(*arguments: Any, **options: Any) -> Any:
            answer = await send(*arguments, **options)
            self.beat()
            return answer

        client.send = answered

"""A customer whom much of a shard's traffic is about is told: once a minute at most in the log, and as a share in the
metrics, in both without a name, which only the API gives (``/workers``). Nothing is held back: their events cost what
all cost, and their row is as bounded as any."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from stream.app.ports import Shard

log = logging.getLogger(__name__)

#: Seconds that a share is taken over.
EVERY = 60.0
#: Of fewer events a large share says nothing.
LEAST_EVENTS = 1000


class Hot:
    """Looks after the busiest customer of one shard. ``share``: from which share of its events on one is told."""

    def __init__(self, partition: int, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._partition, self._share, self._clock = partition, share, clock
        self._since = clock()
        #: the share of the busiest customer in the last minute that was looked at, from 0 to 1
        self.share = 0.0
        #: who that is, where it is so much that it is told
        self.customer: str | None = None

    def look(self, shard: Shard) -> None:
        """Take the shares where a minute is over."""
        now = self._clock()
        if now - self._since < EVERY:
            return
        seconds, self._since = now - self._since, now
        busy = shard.busiest.take()
        self.share, self.customer = busy.share, None
        if busy.events < LEAST_EVENTS or busy.share < self._share:
            return
        customer, events = busy.customers[0]
        self.customer = customer.decode("utf-8", "replace")
        log.warning(
            "shard %d: at least %d of the %d events of the last %.0f s are about one customer (%.0f %%): a bot? "
            "GET /workers names them",
            self._partition,
            events,
            busy.events,
            seconds,
            100 * busy.share,
            extra={"shard": self._partition, "events": events},
        )

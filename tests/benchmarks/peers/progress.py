"""How far a measured program has come, and where the suite finds its topics.

Peers run in an environment of their own, so nothing but the standard library is used here.  The clock of a peer stops
when it has handled the last event, before its last commit; that of segstream when the last event is committed.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

BROKER = os.environ["BENCH_BROKER"]
#: Name of the application, of its group, and first part of its topics.
APP = os.environ["BENCH_APP"]
TOPIC = os.environ["BENCH_TOPIC"]
#: Where results go, for those that have no changelog of their own; changes, in W2.
OUT = os.environ["BENCH_OUT"]
PARTITIONS = int(os.environ["BENCH_PARTITIONS"])
#: A folder for state and scratch files.
FOLDER = Path(os.environ["BENCH_FOLDER"])
_WARM = int(os.environ["BENCH_WARM"])
_EVENTS = int(os.environ["BENCH_EVENTS"])
_REPORT = Path(os.environ["BENCH_REPORT"])


class Progress:
    """Counts handled events and notes the first, the one that ends the warming up, and the last."""

    def __init__(self) -> None:
        self.events = 0
        self._started = float(os.environ["BENCH_STARTED"])
        self._first = self._warm = self._end = 0.0
        self._warm_cpu = self._end_cpu = 0.0
        self._warm_events = 0

    def handled(self, more: int = 1) -> bool:
        """So many more; whether these were the last."""
        if not self.events:
            self._first = time.monotonic()
        self.events += more
        if not self._warm_events and self.events >= _WARM:
            self._warm, self._warm_events = time.monotonic(), self.events
            self._warm_cpu = time.process_time()
        if self.events < _EVENTS:
            return False
        if not self._end:
            self._end, self._end_cpu = time.monotonic(), time.process_time()
        return True

    def tell(self) -> None:
        """Write it down; called when all results are where they belong."""
        found = {
            "started": self._started,
            "first": self._first,
            "warm": self._warm,
            "warm_events": self._warm_events,
            "warm_cpu": self._warm_cpu,
            "end": self._end,
            "end_cpu": self._end_cpu,
            "events": self.events,
        }
        draft = _REPORT.with_suffix(".draft")
        draft.write_text(json.dumps(found))
        draft.rename(_REPORT)

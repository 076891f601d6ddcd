"""Events that came in under another key than their customer's: sent on to where they belong, not miscounted.

Java's and aiokafka's producers choose a partition by murmur2 of the key, librdkafka's by CRC32: two producers can put
one customer's events on two partitions.  A customer without a row is the moment to look: who has one belongs here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.engine.output import Rekeyed
from stream.engine.run import Run
from stream.events.batch import REJECTED, REKEYED, Batch, DeadLetter
from stream.events.columns import CustomerIds
from stream.events.customer import partition_key
from stream.events.decode import origin
from stream.plan.finding import FREE

#: Longest event, in bytes, that is sent on: with its headers it fits into what topics take by default.
LONGEST_SENT_ON = 900_000


@dataclass(frozen=True)
class Home:
    """Which customers belong to a shard: those whose key ``partition_of`` puts on ``partition``.

    What comes by ``topic`` was sent on once already and stays.  An event that is too long to be sent on is rejected.
    """

    partition: int
    partition_of: Callable[[bytes], int]
    topic: str

    def sent_on(self, run: Run, customers: CustomerIds, rows: NDArray[np.int64]) -> dict[int, Rekeyed]:
        """Mark the run's events of customers who belong elsewhere, and return them for sending on, by their place.

        ``rows`` are those that the customers have here, FREE where they have none.
        """
        found = {}
        for k in np.flatnonzero((run.codes >= 0) & (rows == FREE) & customers.given).tolist():
            key = partition_key(customers[k] or b"")
            partition = self.partition_of(key)
            batch, i = run.origin(k)
            if partition != self.partition and batch.topic != self.topic:
                record = batch.records[i]
                if len(record.value) > LONGEST_SENT_ON:
                    run.codes[k], batch.dead[i] = REJECTED, _too_long(batch, record)
                    continue
                run.codes[k] = REKEYED
                found[k] = Rekeyed(partition, key, record.value, origin(batch, record))
        return found


def _too_long(batch: Batch, record: Any) -> DeadLetter:
    """The letter of an event that could not be written to the topic of those sent on, whose transaction would fail."""
    detail = (
        f"the event came in under a key that is not its customer's, and its {len(record.value)} bytes are too many to "
        f"be sent on ({LONGEST_SENT_ON} are the most): send it under its customer's key"
    )
    place = (batch.topic, batch.partition, record.offset)
    return DeadLetter("misplaced", *place, record.key, record.value, record.timestamp or 0, detail)

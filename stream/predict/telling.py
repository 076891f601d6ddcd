"""What one shard tells of its customers' purchases, so that a population can be fitted to those of all shards.

It is small whatever the number of customers: alike histories are counted together, to the day, and where that is not
enough those that are nearly alike. Any number of them is read together. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.events.instant import EARLIEST_MS, LATEST_MS
from stream.predict.histories import Histories
from stream.predict.spends import Spends

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Recency and silence are rounded to multiples of this, in ms.
DAY = 86_400_000
#: The most groups of one shard: with at most 24 bytes each a record stays well below what a broker takes.
HISTORIES, SPENDS = 12_000, 8_000
#: Frequencies and days beyond are counted as the last ones: nobody has bought on so many days, nor lived as long.
_BITS = 21
_MOST = (1 << _BITS) - 1
_WHOLE, _REAL = np.dtype("<u4"), np.dtype("<f8")


class ShardHistories(msgspec.Struct, frozen=True):
    """What one shard hands out, as of one instant.

    Parameters
    ----------
    partition
        The shard's.
    at
        Its clock (event time in ms) when they were taken.
    of
        What purchases are, see `stream.features.base.Purchases`.
    frequency, recency, silence, count
        Columns of `stream.predict.histories.Histories`, the times in days; uint32, little endian.
    orders, mean, spenders
        Columns of `stream.predict.spends.Spends`; uint32, float64 (micros) and uint32, little endian. Empty where no
        definition asks what orders are worth.
    without_value
        Customers whose orders are worth nothing or less.
    valued
        Whether the definitions ask what orders are worth.
    """

    partition: int
    at: int
    of: str
    frequency: bytes
    recency: bytes
    silence: bytes
    count: bytes
    orders: bytes = b""
    mean: bytes = b""
    spenders: bytes = b""
    without_value: int = 0
    valued: bool = False

    def __post_init__(self) -> None:
        if not EARLIEST_MS <= self.at <= LATEST_MS:
            raise ValueError("broken histories: the instant as of which they were taken is out of all bounds")
        columns = (self.frequency, self.recency, self.silence, self.count)
        if any(len(column) != len(self.count) or len(column) % _WHOLE.itemsize for column in columns):
            raise ValueError("broken histories: frequency, recency, silence and count must be of one length")
        if not 2 * len(self.orders) == len(self.mean) == 2 * len(self.spenders) or len(self.orders) % _WHOLE.itemsize:
            raise ValueError("broken histories: orders, mean and spenders must be of one length")
        _ = self.histories, self.spends  # which say what is wrong with them

    @property
    def histories(self) -> Histories:
        """The purchases, times in ms."""
        frequency, recency, silence, count = (
            np.frombuffer(column, _WHOLE).astype(np.float64)
            for column in (self.frequency, self.recency, self.silence, self.count)
        )
        return Histories(frequency, recency * DAY, (recency + silence) * DAY, count)

    @property
    def spends(self) -> Spends:
        """What they are worth, in micros."""
        orders, spenders = (np.frombuffer(column, _WHOLE).astype(np.float64) for column in (self.orders, self.spenders))
        return Spends(orders, np.frombuffer(self.mean, _REAL).astype(np.float64), spenders, float(self.without_value))

    def encode(self) -> bytes:
        """As a record's value (MessagePack)."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> ShardHistories:
        """From a record's value; ValueError says what is wrong with it."""
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"broken histories: {error}") from error


def tell(
    partition: int, at: int, of: str, purchases: Sequence[Ints], worth: Floats | None, departed: Histories | None = None
) -> ShardHistories:
    """What a shard tells as of ``at`` (event time in ms).

    Parameters
    ----------
    of
        What purchases are.
    purchases
        Columns of its customers: how many days with a purchase, the instants (ms) of the first and the last; who has
        none is passed over.
    worth
        What all purchases of each after the first one are worth together (micros); None where nobody asks.
    departed
        The histories of customers whom the shard has forgotten, as of the same instant.
    """
    count, first, last = purchases
    bought = count > 0
    x = np.clip(count[bought] - 1, 0, _MOST)
    recency = np.where(x > 0, days(last[bought] - first[bought]), 0)
    silence = days(at - last[bought])
    keys, groups = np.unique((x << 2 * _BITS) | (recency << _BITS) | silence, return_counts=True)
    # A population of days, since what is handed out counts them.
    found = Histories(
        (keys >> 2 * _BITS).astype(np.float64),
        ((keys >> _BITS) & _MOST).astype(np.float64),
        (((keys >> _BITS) & _MOST) + (keys & _MOST)).astype(np.float64),
        groups.astype(np.float64),
    )
    if departed is not None:
        found += departed.scaled(1 / DAY).grouped(1.0)
    told = found.within(HISTORIES)
    columns = (told.frequency, told.recency, told.age - told.recency, told.count)
    frequency, recent, silent, counted = (np.rint(column).astype(_WHOLE).tobytes() for column in columns)
    if worth is None:
        return ShardHistories(partition, at, of, frequency, recent, silent, counted)
    again = bought & (count > 1)
    spends = Spends.of(count[again] - 1, worth[again] / (count[again] - 1)).within(SPENDS)
    orders, spenders = (column.astype(_WHOLE).tobytes() for column in (spends.orders, spends.count))
    mean, without = spends.mean.astype(_REAL).tobytes(), int(spends.without_value)
    return ShardHistories(
        partition, at, of, frequency, recent, silent, counted, orders, mean, spenders, without, valued=True
    )


def days(span: Ints) -> Ints:
    """Spans of ms in whole days, rounded."""
    return np.clip((span + DAY // 2) // DAY, 0, _MOST)

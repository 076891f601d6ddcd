"""Questions that shards asked, and the answers a horizon later: matched where they come together, bounded, and the same
whenever they are read again from the right place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from stream.engine import output
from stream.features.propensity import BESIDE
from stream.predict.delayed import Answer, Question

#: What a model must beat: days of absence alone, P(alive) and P(buys within the horizon) by the model of lifetimes.
BASELINES = ("recency", "alive", "buys")
#: Hashes of customers lie below this.
ALL = 1 << 64


@dataclass(frozen=True, slots=True)
class Asked:
    """One customer at one of their turns, which come once a horizon.

    Parameters
    ----------
    customer
        Hash of the id.
    at
        The instant, in ms.
    vector
        What is learned from, d values.
    said
        The probability that the shard answered with; NaN where it had no model.
    since
        How long ago, in ms, what is predicted came last; NaN: never.  It answers the question before this one, and is
        what recency alone says to this one.
    alive, buys
        What the model of lifetimes says; NaN: there is none.
    shard
        Whose customer it is: every shard asks in its own time.
    """

    customer: int
    at: int
    vector: NDArray[np.float64]
    said: float
    since: float
    alive: float = nan
    buys: float = nan
    shard: int = 0

    @classmethod
    def of(cls, customer: int, at: int, values: NDArray[np.float64], shard: int = 0) -> Asked:
        """From the values that a shard asked with (:data:`stream.features.propensity.BESIDE`)."""
        said, alive, buys, since = values[-BESIDE:].tolist()
        return cls(customer, at, values[:-BESIDE], said, since, alive, buys, shard)

    @property
    def baselines(self) -> tuple[float, ...]:
        """What is known without this model, as `BASELINES` says."""
        return (-np.inf if isnan(self.since) else -self.since, self.alive, self.buys)


def of_step(asked: output.Asked) -> Iterator[Asked]:
    """The questions that a shard asked in one step."""
    for customer, at, values in zip(asked.customers.tolist(), asked.instants.tolist(), asked.values, strict=True):
        yield Asked.of(customer, at, values, asked.shard)


@dataclass(frozen=True, slots=True)
class _Open:
    """A question without an answer, and the place of its record in the stream of questions."""

    question: Question
    place: int


class Settling:
    """Open questions, one a customer.

    Parameters
    ----------
    horizon_ms
        Questions about a customer come so far apart.
    most
        Open questions at most.  Where there are more, half of all customers are let go for good, by their hashes: those
        who are left are asked as they were, so that what is learned stays what is true of all.
    ceiling, reached
        Where an earlier one was: it has customers with a hash below ``ceiling``, and has seen questions of each shard
        up to an instant.
    """

    def __init__(
        self, horizon_ms: int, most: int = 100_000, *, ceiling: int = ALL, reached: Mapping[int, int] | None = None
    ) -> None:
        if horizon_ms < 1 or most < 1:
            raise ValueError("questions need a horizon of at least 1 ms, and room for at least one")
        self.ceiling = ceiling
        #: Shard -> instant of its latest question.
        self.reached = dict(reached or {})
        #: Questions of customers who were let go, or whose next turn never came.
        self.refused = 0
        self._horizon_ms = horizon_ms
        self._most = most
        #: Shard -> customer -> question, each shard's in the order of their places.
        self._open: dict[int, dict[int, _Open]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    @property
    def since(self) -> int | None:
        """The place of the oldest open question; None where there is none."""
        return min((next(iter(own.values())).place for own in self._open.values() if own), default=None)

    @property
    def latest(self) -> int | None:
        """The instant of the latest question; None where there was none."""
        return max(self.reached.values(), default=None)

    def take(self, asked: Asked, place: int, tried: tuple[float, ...] = ()) -> Answer | None:
        """A question becomes open; what it answers, where the one before it is a horizon old. ``tried``: see
        `Question`."""
        customer = asked.customer % ALL
        if customer >= self.ceiling:
            self.refused += 1
            return None
        own = self._open.setdefault(asked.shard, {})
        before = own.get(customer)
        if before is not None and asked.at <= before.question.at:  # told again
            return None
        own.pop(customer, None)
        own[customer] = _Open(Question(asked.at, asked.vector, (asked.said, *asked.baselines), tried), place)
        self.reached[asked.shard] = max(asked.at, self.reached.get(asked.shard, asked.at))
        self._let_go(asked.shard)
        if before is None or asked.at - before.question.at != self._horizon_ms:
            return None
        return Answer(before.question, asked.since <= self._horizon_ms)

    def _let_go(self, shard: int) -> None:
        """Of those whose turn is a horizon late by the time of their shard (they are known no longer); and by hashes,
        where there are too many. Where history is read, shards are days apart."""
        own, over = self._open[shard], self.reached[shard] - 2 * self._horizon_ms
        while (first := next(iter(own), None)) is not None and own[first].question.at < over:
            del own[first]
            self.refused += 1
        while (open_now := len(self)) > self._most:
            self.ceiling //= 2
            for number, those in self._open.items():
                self._open[number] = {customer: one for customer, one in those.items() if customer < self.ceiling}
            self.refused += open_now - len(self)

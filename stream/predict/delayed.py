"""Questions whose answer comes late: will this customer buy within a horizon.

What was known when the question was asked is kept until the answer is there: the purchase, or the end of the horizon, a
deadline like any other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Question:
    """What was known when it was asked.

    Parameters
    ----------
    at
        The instant, in ms.
    vector
        The features, d values.
    said
        What each judge said, in the order of the window's judges (`stream.predict.progress.Window`).
    """

    at: int
    vector: NDArray[np.float64]
    said: tuple[float, ...]
    #: What a draft and its rivals said (`stream.predict.trial.Trial.words`), which nobody was judged by.
    tried: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, and whether the purchase came within the horizon."""

    question: Question
    came: bool


class Waiting(Generic[Key]):
    """Open questions, one a customer at most.

    Parameters
    ----------
    horizon_ms
        The purchase must come within this: later than the question and up to its instant plus the horizon.
    most
        Open questions at most; further ones are not asked, and counted in `refused`.
    prompt
        Whether a purchase answers at once. Otherwise all answers are given when the horizon has passed: in the order of
        their questions, so that yes and no of one time are learned at one time. With prompt answers a learner hears
        of yes a horizon earlier than of no, and believes too much of it whenever traffic grows or begins.
    """

    def __init__(self, horizon_ms: int, *, most: int = 100_000, prompt: bool = False) -> None:
        if horizon_ms < 1 or most < 1:
            raise ValueError("questions need a horizon of at least 1 ms, and room for at least one")
        self.horizon_ms = horizon_ms
        self.refused = 0
        self._most = most
        self._prompt = prompt
        #: In the order of asking, which is that of the deadlines.
        self._open: dict[Key, Question] = {}
        self._came: set[Key] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, customer: Key) -> bool:
        return customer in self._open

    @property
    def deadline(self) -> int | None:
        """The instant from which `passed` has something to give; None while no question is open."""
        first = next(iter(self._open.values()), None)
        return None if first is None else first.at + self.horizon_ms + 1

    def ask(self, customer: Key, question: Question) -> bool:
        """Keep a question, no earlier than all before it; False where this customer has one, or there are too many."""
        if self._open:
            latest = self._open[next(reversed(self._open))].at
            if question.at < latest:
                raise ValueError(f"questions are asked in the order of time, and {question.at} is before {latest}")
        if customer in self._open:
            return False
        if len(self._open) >= self._most:
            self.refused += 1
            return False
        self._open[customer] = question
        return True

    def bought(self, customer: Key, at: int) -> Answer | None:
        """Tell of a purchase; the answer, where that is one and answers are prompt."""
        question = self._open.get(customer)
        if question is None or not question.at < at <= question.at + self.horizon_ms:
            return None
        if not self._prompt:
            self._came.add(customer)
            return None
        del self._open[customer]
        return Answer(question, True)

    def forget(self, customer: Key) -> None:
        """Drop whatever is kept of a customer."""
        self._open.pop(customer, None)
        self._came.discard(customer)

    def passed(self, now: int) -> Iterator[Answer]:
        """The answers of all whose horizon ended before ``now``, in the order of their questions."""
        due = [customer for customer, question in self._first_due(now)]
        for customer in due:
            question = self._open.pop(customer)
            came = customer in self._came
            self._came.discard(customer)
            yield Answer(question, came)

    def _first_due(self, now: int) -> Iterator[tuple[Key, Question]]:
        for customer, question in islice(self._open.items(), len(self._open)):
            if question.at + self.horizon_ms >= now:
                return
            yield customer, question

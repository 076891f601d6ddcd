"""How much goes into one transaction: less where Kafka takes it slowly, so that it still ends in time."""

from __future__ import annotations

#: For how many seconds sizes stay as they are after a slow transaction. A broker's quota goes by the average of its
#: last ten seconds: after a pause it lets a burst through, which says nothing of what it will take.
HOLD_SECONDS = 20.0


class Portion:
    """How many events of a shard the next transaction takes at most (``size``).

    A transaction that is not done before its deadline has to be done again. Where output is slow (a quota, a disk that
    is nearly full), one of the usual size never would be: sizes shrink until transactions take a part of their time,
    and grow again when full ones have been quick for a while. Instants are seconds that only go forward.

    Parameters
    ----------
    most
        Where Kafka is quick.
    deadline
        Seconds within which a transaction has to end.
    """

    def __init__(self, most: int, deadline: float) -> None:
        self.size = self._most = most
        self._aim = deadline / 4
        self._held_until = 0.0

    def took(self, seconds: float, amount: int, now: float) -> bool:
        """A transaction of so many events or rows is committed; whether those to come are smaller for it."""
        if seconds > self._aim:
            self._held_until = now + HOLD_SECONDS
            smaller = self.size > 1
            self.size = max(1, int(self.size * self._aim / seconds))
            return smaller
        if amount >= self.size and now >= self._held_until:
            self.size = min(self._most, 2 * self.size)
        return False

    def failed(self, now: float) -> None:
        """A transaction was not committed; by its size, perhaps."""
        self._held_until = now + HOLD_SECONDS
        self.size = max(1, self.size // 8)

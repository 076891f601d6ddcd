"""The oracle: what the design says, done in the plainest way, to compare the engine with.

It imports nothing of ``stream``.  It keeps every event, computes every value from all events each time, and judges
every customer in every dimension at every millisecond, so it knows nothing of deadlines and expiries.  Histories must
therefore be short (hundreds of milliseconds), with durations to match; a day is a few milliseconds here.

Rules it follows (design.md: Words, Time, Settled):

- Records merge by the greatest time so far in their topic, ties by topic, then by offset.
- Before an event at t, everything that becomes true by time alone up to and including t has become true.
- A late event counts at its own instant, moves segments from the customer's latest instant on, and finds in force what
  the clock had already declared.  The clock is the greatest time so far of all records applied, or what it had come to
  while the topics were at their ends, less the allowed disorder.
- The first segment whose condition holds is the customer's, else ``otherwise``, else none.
- ``from``: only who is in one of these may enter.  ``leave``: who is in stays until it holds, and nobody enters while
  it holds.  ``for``: it ends that long after it was entered.
- ``stay`` (of the segment, else of the dimension): nobody leaves before it has passed.  ``cooldown``: nobody enters the
  segment for so long after leaving it.
- A comparison without a known moment of change (:mod:`tests.oracle.motion`) is judged as of the latest multiple of
  ``every``, or of the customer's latest own event if that came later.
- Of several texts at one instant the one with the greater hash comes last.  A local day once begun goes on where the
  clock is set back over its midnight.
- The cut of a value at a share is given; unknown ones are missing.  ``top 20%`` is above the cut at 80%, ``bottom 20%``
  at or below the cut at 20%; a quintile is one more than the number of cuts (20, 40, 60, 80%) that the value is above.
- ``share("name")`` is MurmurHash3 (32 bits) of the customer's hash, seeded with the name's, over 2 to the 32.
- What is missing makes a comparison false.  A window is (t - w, t].
- An event judges the dimensions whose features read it, those with a comparison that is only looked at now and then,
  and those that speak of a segment that it changes; all others are judged by time, from the next millisecond on.
- An event whose name no feature reads moves the clock and nothing else.
- A repetition among a customer's last eight message ids is dropped, and an ``Order Completed`` with one of the
  customer's last eight order ids.
- What refunds and cancellations take back: :mod:`tests.oracle.orders`.
"""

from __future__ import annotations

from tests.oracle.course import Move, Oracle
from tests.oracle.features import PRODUCT_UPDATED, Happened, feature
from tests.oracle.shares import murmur3, share_of

__all__ = ["PRODUCT_UPDATED", "Happened", "Move", "Oracle", "feature", "murmur3", "share_of"]

"""The loops around a plan: the same for all definitions, copied into each generated module beside its own functions.

``fold``, ``evaluate``, ``sample`` and ``ask`` are generated; here they are only declared.  Everything is plain Python
that numba accepts, so the twin that runs uncompiled is the same text.
"""

from __future__ import annotations

from typing import Any

from stream.features import pool
from stream.features.base import FOREVER, NEVER
from stream.plan.header import (
    APPLIED,
    APPLY,
    ASKED,
    AT,
    AWAY,
    CAUSE,
    CURSOR,
    CUSTOMER,
    DEADLINE,
    DEFINITION,
    DIMENSION,
    DUPLICATE,
    EVIDENCE,
    FIRE,
    FORGET,
    FORGOTTEN,
    FROM,
    IDS,
    ITEM,
    LATEST,
    LEAVES,
    LEFT,
    LIFETIME,
    NUMBER,
    REARM,
    REMEMBERED,
    RING,
    ROW,
    SAMPLED,
    SEEN,
    SEQUENCE,
    SINCE,
    TO,
    TOUCHED,
    UNMATCHED,
    VERSION,
)

MOVES: Any = ()
BAGS: Any = ()
SEGMENTS: Any = ()
NO_MOVES = 0
ALL_MOVES = -1
ROOM = 0
QUESTIONS = 0


def repeated(code: int, r: Any, ev: Any, k: int) -> bool:
    """Generated: whether the event is one that counts once, and was told before under another message id."""
    return False


def fold(code: int, r: Any, f: Any, t: int, bags: Any, i: int, ev: Any, k: int) -> int:
    """Generated: what the event does to the row's accumulators; how many refunds it brings without their order."""
    return 0


def evaluate(table: Any, bags: Any, models: Any, i: int, now: int, cause: int, moves: int, out: Any, n: int) -> int:
    """Generated: judge the dimensions that ``moves`` names and those that are due; append changes; the new count."""
    return n


def sample(table: Any, bags: Any, models: Any, i: int, now: int, out: Any) -> None:
    """Generated: perhaps append the row's vector for the trainer, as of some instant since the customer was last looked
    at: each is taken with a probability by the time that it stands for."""


def is_look(r: Any, now: int) -> bool:
    """Generated: whether the learned dimension looks again at this instant at who has not come since."""
    return False


def ask(table: Any, bags: Any, models: Any, i: int, now: int, out: Any) -> None:
    """Generated: append a question of each prediction whose turn it is at this instant."""


def change(r: Any, i: int, j: int, column: int, to: int, now: int, cause: int, ints: Any, n: int) -> None:
    """Write down that dimension j, whose segment is in a column and its entry in the next, changes; the row itself does
    not yet."""
    r[SEQUENCE] += 1
    ints[n, ROW] = i
    ints[n, DIMENSION] = j
    ints[n, FROM] = r[column]
    ints[n, TO] = to
    ints[n, AT] = now
    ints[n, CAUSE] = cause
    ints[n, NUMBER] = r[SEQUENCE]
    ints[n, SINCE] = r[column + 1] if r[column] >= 0 else NEVER
    ints[n, AWAY] = NEVER


def touch(table: Any, i: int) -> None:
    """Remember that the row differs from what is at rest."""
    if table.marks[i] == 0:
        table.marks[i] = 1
        table.touched[table.counters[TOUCHED]] = i
        table.counters[TOUCHED] += 1


def slot_of(models: Any, r: Any) -> int:
    """Which of the two versions the row is judged by."""
    return 0 if r[VERSION] == models.version[0] else 1


def known(r: Any, message: int) -> bool:
    """Whether the message id is among the customer's last ones."""
    found = False
    for j in range(IDS, IDS + REMEMBERED):
        found = found or r[j] == message
    return found


def gone_at(table: Any, r: Any) -> int:
    """From when on nothing is known of a customer any more, unless they do something before."""
    lifetime = table.counters[LIFETIME]
    return int(r[SEEN] + lifetime if lifetime < FOREVER else FOREVER)


def forget(table: Any, bags: Any, i: int, now: int, cause: int, out: Any, n: int) -> int:
    """Write down that the customer is forgotten, and the segments that they leave; then nothing is left in the row, nor
    of its bags.  The new count of changes; there is room for them."""
    r = table.ints[i]
    ints = out.ints
    ints[n, ROW] = i
    ints[n, DIMENSION] = FORGOTTEN
    ints[n, AT] = now
    ints[n, CAUSE] = cause
    for k in range(table.kept.shape[0]):
        ints[n, EVIDENCE + k] = r[table.kept[k]]
    n += 1
    for j in range(SEGMENTS.shape[0]):
        if r[SEGMENTS[j]] >= 0:
            ints[n, ROW] = i
            ints[n, DIMENSION] = j
            ints[n, FROM] = r[SEGMENTS[j]]
            ints[n, TO] = LEAVES
            n += 1
    for b in range(BAGS.shape[0] - 1):
        while r[BAGS[b] + pool.HEAD] != pool.NONE:
            e = r[BAGS[b] + pool.HEAD]
            if table.counters[CURSOR] == e:  # telling the holders of its product goes on behind it
                table.counters[CURSOR] = bags.entries[e, pool.LATER]
            pool.unlink(bags, r, BAGS[b], e)
            for c in range(pool.SAVED):
                bags.entries[e, c] = 0
    for c in range(r.shape[0]):
        if c != CUSTOMER:  # who they are is only let go with their row
            r[c] = table.blank[c]
    for j in range(table.expiry.shape[1]):
        table.expiry[i, j] = FOREVER
    table.deadline[i] = FOREVER
    touch(table, i)
    return n


def settle(table: Any, bags: Any, models: Any, i: int, upto: int, out: Any, n: int) -> int:
    """Fire the row's own deadlines up to and including an instant, in order; between them, the move to the next version
    of what is published.  A move that changes nothing leaves no trace at rest: there a row with an older version than
    the one in force everywhere counts as moved.  Who has done nothing for the lifetime of a row is forgotten, at that
    instant and before all else that it brings.

    Returns the new count of changes, or its complement (negative) where the room for changes has run out.
    """
    r = table.ints[i]
    if r[LATEST] == NEVER:
        return n
    gone = gone_at(table, r)
    while True:
        due = min(table.deadline[i], gone)
        switch = models.effective[1]
        if r[VERSION] != models.version[1] and switch <= upto and switch <= due and switch < gone:
            if n + ROOM > out.ints.shape[0]:
                return ~n
            r[VERSION] = models.version[1]
            before = n
            if models.moves[1] != 0:
                now = max(switch, r[LATEST])
                n = evaluate(table, bags, models, i, now, models.cause[1], models.moves[1], out, n)
        elif due <= upto:
            if n + ROOM + 1 > out.ints.shape[0]:
                return ~n
            if due == gone:
                return forget(table, bags, i, max(gone, r[LATEST]), DEADLINE, out, n)
            if table.counters[ASKED] + QUESTIONS > out.asked.shape[0]:
                return ~n
            before = n
            if is_look(r, due):
                if table.counters[SAMPLED] >= out.vectors.shape[0]:
                    return ~n
                sample(table, bags, models, i, due, out)
            ask(table, bags, models, i, due, out)
            n = evaluate(table, bags, models, i, due, DEADLINE, NO_MOVES, out, n)
        else:
            return n
        if n > before:
            touch(table, i)


def apply_own(table: Any, bags: Any, models: Any, ev: Any, k: int, out: Any, n: int) -> int:
    """Apply event k to its customer; the new count of changes, or its complement where room has run out."""
    i = ev.row[k]
    r = table.ints[i]
    if r[LATEST] != NEVER and gone_at(table, r) <= ev.upto[k]:  # with all that they did, retries too
        n = settle(table, bags, models, i, ev.upto[k], out, n)
        if n < 0:
            return n
    if known(r, ev.message[k]) or repeated(ev.code[k], r, ev, k):
        ev.status[k] = DUPLICATE
        return n
    t = ev.instant[k]
    if r[LATEST] == NEVER:  # a new customer: by the version in force, without a move to it
        r[VERSION] = models.version[1] if models.effective[1] <= ev.upto[k] else models.version[0]
    else:
        n = settle(table, bags, models, i, ev.upto[k], out, n)
        if n < 0:
            return n
    if n + ROOM > out.ints.shape[0] or table.counters[SAMPLED] >= out.vectors.shape[0]:
        return ~n
    sample(table, bags, models, i, t, out)  # what they were until now: right after a visit, everyone was just here
    touch(table, i)
    table.counters[UNMATCHED] += fold(ev.code[k], r, table.floats[i], t, bags, i, ev, k)
    r[IDS + r[RING]] = ev.message[k]
    r[RING] = (r[RING] + 1) % REMEMBERED
    r[SEEN] = max(r[SEEN], t)
    now = max(t, r[LATEST], models.effective[slot_of(models, r)])
    n = evaluate(table, bags, models, i, now, k, MOVES[ev.code[k]], out, n)
    ev.status[k] = APPLIED
    return n


def apply_forget(table: Any, bags: Any, models: Any, ev: Any, k: int, out: Any, n: int) -> int:
    """Forget the customer of event k, who asked for it, after their deadlines up to then; late or not, all of what is
    known of them.  The new count of changes, or its complement."""
    i = ev.row[k]
    n = settle(table, bags, models, i, ev.upto[k], out, n)
    if n < 0:
        return n
    if n + ROOM + 1 > out.ints.shape[0]:
        return ~n
    ev.status[k] = APPLIED
    return forget(table, bags, i, max(ev.instant[k], table.ints[i, LATEST]), k, out, n)


def tell_holders(table: Any, bags: Any, models: Any, ev: Any, k: int, j: int, out: Any, n: int) -> int:
    """Tell everyone who holds product j of event k: all bags of one customer, judged once, then the next customer.

    Where room for changes runs out, or as many have been told as may be in one step, it returns the complement, and
    goes on from ``counters`` when called again.  To whom it is no news, as they were told before the shard was closed
    midway, nothing happens: they have been judged as of that instant.
    """
    product, t = ev.items[j, 0], ev.instant[k]
    at = pool.slot(bags.table, product)
    if product == 0 or bags.table[at, 0] != product:
        return n
    e = table.counters[CURSOR] if table.counters[CURSOR] >= 0 else bags.table[at, 1]
    table.counters[CURSOR] = -1
    while e >= 0:
        i = bags.entries[e, pool.ROW]
        r = table.ints[i]
        if gone_at(table, r) <= ev.upto[k]:  # nobody by then: forgotten when the clock is there
            e = bags.entries[e, pool.LATER]
            continue
        if table.counters[LEFT] > 0:
            n = settle(table, bags, models, i, ev.upto[k], out, n)
            if n >= 0 and n + ROOM > out.ints.shape[0]:
                n = ~n
        else:
            n = ~n
        if n < 0:
            table.counters[CURSOR] = e
            return n
        news = False
        for b in range(BAGS.shape[0] - 1):
            own = pool.find(bags, r, BAGS[b], product)
            if own >= 0:
                news = pool.tell(bags.entries, own, t, ev.items[j, 1], ev.items[j, 3], ev.offers[k]) or news
        if news:
            table.counters[LEFT] -= 1
            touch(table, i)
            now = max(t, r[LATEST], models.effective[slot_of(models, r)])
            n = evaluate(table, bags, models, i, now, k, MOVES[ev.code[k]], out, n)
        e = bags.entries[e, pool.LATER]
    return n


def apply_product(table: Any, bags: Any, models: Any, ev: Any, k: int, out: Any, n: int) -> int:
    """Apply what happened to the products of event k; the new count of changes, or its complement."""
    for j in range(ev.first[k] + table.counters[ITEM], ev.first[k + 1]):
        n = tell_holders(table, bags, models, ev, k, j, out, n)
        if n < 0:
            table.counters[ITEM] = j - ev.first[k]
            return n
    table.counters[ITEM] = 0
    ev.status[k] = APPLIED
    return n


def apply(table: Any, bags: Any, models: Any, ev: Any, out: Any, n: int, start: int) -> tuple[int, int]:
    """Apply events from ``start``; returns (changes, where to go on), short of the end where room has run out."""
    for k in range(start, ev.row.shape[0]):
        if ev.code[k] < 0:
            continue
        if ev.code[k] == FORGET:
            n = apply_forget(table, bags, models, ev, k, out, n)
        elif ev.row[k] >= 0:
            n = apply_own(table, bags, models, ev, k, out, n)
        else:
            n = apply_product(table, bags, models, ev, k, out, n)
        if n < 0:
            return ~n, k
    return n, ev.row.shape[0]


def fire(table: Any, bags: Any, models: Any, rows: Any, upto: int, out: Any, n: int, start: int) -> tuple[int, int]:
    """Settle these rows up to an instant, from ``start``; returns (changes, where to go on)."""
    for k in range(start, rows.shape[0]):
        n = settle(table, bags, models, rows[k], upto, out, n)
        if n < 0:
            return ~n, k
    return n, rows.shape[0]


def rearm(table: Any, bags: Any, models: Any, rows: Any, out: Any, n: int, start: int) -> tuple[int, int]:
    """Work out the expiries of rows that came from rest, as of each one's latest instant, or since when its version is
    in force.  Who has yet to move to new definitions had fired all deadlines before them under the old ones."""
    for k in range(start, rows.shape[0]):
        r = table.ints[rows[k]]
        if r[LATEST] == NEVER:
            continue
        slot = slot_of(models, r)
        since = models.effective[slot]
        if slot == 0 and models.cause[1] == DEFINITION and models.effective[1] < FOREVER:
            since = models.effective[1] - 1
        n = evaluate(table, bags, models, rows[k], max(since, r[LATEST]), REARM, ALL_MOVES, out, n)
    return n, rows.shape[0]


def work(
    what: int, table: Any, bags: Any, models: Any, ev: Any, rows: Any, upto: int, out: Any, n: int, start: int
) -> tuple[int, int]:
    """Apply events, fire the deadlines of rows up to an instant, or arm rows from rest: one kernel, as each one that
    judges customers costs the time to compile all conditions."""
    if what == APPLY:
        return apply(table, bags, models, ev, out, n, start)
    if what == FIRE:
        return fire(table, bags, models, rows, upto, out, n, start)
    return rearm(table, bags, models, rows, out, n, start)

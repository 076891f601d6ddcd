"""From what shards tell of purchases to versions of the model of lifetimes."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from stream.learners.fit import Done, Task, fit, fit_beside
from stream.learners.gathering import USED, Gathered, key_of
from stream.learners.lifetimes import task_of
from stream.predict.alive import BgNbd
from stream.predict.fitting import change, fit_lifetime
from stream.predict.histories import Histories
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.telling import DAY, HISTORIES, ShardHistories, tell
from stream.predict.words import sentences, warnings
from tests.cdnow import Customers, customers
from tests.samples import sample

AT = 10_000 * DAY
OF = "orders"
WEEK = 7 * DAY


@pytest.fixture(scope="module")
def cdnow() -> Customers:
    return customers(sample("cdnow-sample.txt"))


def told(cdnow: Customers, shards: int, *, valued: bool = True, at: int = AT) -> list[ShardHistories]:
    """What so many shards tell of CDNOW's customers, money in micros."""
    found = []
    for part in range(shards):
        mine = slice(part, None, shards)
        x, recency, age = (column[mine] for column in (cdnow.frequency, cdnow.recency, cdnow.age))
        first = (at - age * WEEK).round().astype(np.int64)
        worth = x * cdnow.mean[mine] * 1e6 if valued else None
        last = first + (recency * WEEK).round().astype(np.int64)
        found.append(tell(part, at, OF, (x.astype(np.int64) + 1, first, last), worth))
    return found


def test_the_published_figures_come_out_of_what_shards_tell(cdnow: Customers) -> None:
    """CDNOW over three shards, encoded and decoded: the paper's parameters, to its digits, of both models."""
    parts = [ShardHistories.decode(one.encode()) for one in told(cdnow, 3)]
    found = fit_lifetime(parts, AT + 5)
    model = found.model
    assert [round(x, 3) for x in (model.r, model.alpha / WEEK, model.a, model.b)] == [0.243, 4.414, 0.793, 2.426]
    assert [round(x, 2) for x in (model.p or 0, model.q or 0, (model.gamma or 0) / 1e6)] == [6.25, 3.74, 15.44]
    assert (model.version, model.effective, model.learned_at) == (1, AT + 5, AT)
    assert (model.customers, model.repeat_buyers, model.spenders) == (2357, 946, 946)
    assert round(model.correlation, 2) == 0.11
    assert math.isinf(found.change)


def test_how_customers_are_spread_over_shards_does_not_matter(cdnow: Customers) -> None:
    """To the last bit: whatever merges first, the same groups are fitted."""
    one, five = fit_lifetime(told(cdnow, 1), AT).model, fit_lifetime(told(cdnow, 5), AT).model
    assert one == five


def test_a_later_version_goes_on_from_the_one_before(cdnow: Customers) -> None:
    """It counts on, takes effect later, and tells by how much predictions change: not at all for the same customers."""
    first = fit_lifetime(told(cdnow, 2), AT).model
    same = fit_lifetime(told(cdnow, 2), AT - 100, first)
    assert (same.model.version, same.model.effective) == (2, AT + 1)
    assert same.change < 1e-4
    others = [msgspec.structs.replace(one, of="tickets") for one in told(cdnow, 2)]
    assert (same.model.learned_from, math.isinf(fit_lifetime(others, AT, first).change)) == (OF, True)
    fewer = replace(cdnow, **{name: getattr(cdnow, name)[::3] for name in ("frequency", "recency", "age", "mean")})
    assert fit_lifetime(told(fewer, 2), AT + 100, first).change > 0.01


def test_a_change_is_that_of_whichever_prediction_changes_most(cdnow: Customers) -> None:
    """Of being alive, of next year's purchases, of the value of an order; values that come or go change all."""
    model = fit_lifetime(told(cdnow, 1), AT).model
    histories = Histories.joined(one.histories for one in told(cdnow, 1))
    dearer = msgspec.structs.replace(model, gamma=1.2 * (model.gamma or 0))
    assert change(model, dearer, histories) == pytest.approx(0.2)
    faithful = msgspec.structs.replace(model, a=model.a / 2)
    moved = np.average(
        np.abs(
            faithful.purchases.p_alive(histories.frequency, histories.recency, histories.age)
            - model.purchases.p_alive(histories.frequency, histories.recency, histories.age)
        ),
        weights=histories.count,
    )
    assert change(model, faithful, histories) >= moved > 0.05
    assert math.isinf(change(model, msgspec.structs.replace(model, p=None, q=None, gamma=None), histories))


def test_where_nobody_asks_for_values_none_are_learned(cdnow: Customers) -> None:
    """Nor where one shard does not know them yet, as while definitions change."""
    assert fit_lifetime(told(cdnow, 2, valued=False), AT).model.spend is None
    mixed = [*told(cdnow, 2)[:1], *told(cdnow, 2, valued=False)[1:]]
    assert fit_lifetime(mixed, AT).model.spend is None


def test_what_one_shard_tells_is_bounded_and_leaves_nobody_out() -> None:
    """50,000 customers, no two alike: at most so many groups, below half a megabyte, and the same population."""
    rng = np.random.default_rng(5)
    first = AT - rng.integers(30 * DAY, 2_000 * DAY, 50_000)
    last = first + ((AT - first) * rng.random(50_000)).astype(np.int64)
    count = 2 + rng.integers(0, 20, 50_000)
    one = tell(0, AT, OF, (count, first, last), count * rng.lognormal(17, 1, 50_000))
    assert len(one.histories.count) <= HISTORIES
    assert len(one.encode()) < 500_000
    assert (one.histories.customers, one.histories.repeat_buyers, one.spends.customers) == (50_000, 50_000, 50_000)
    exact = Histories.of(count - 1.0, (last - first) / DAY, (AT - first) / DAY)
    for who in (BgNbd(0.3, 30, 0.8, 2.4), BgNbd(2.0, 90, 0.5, 6.0)):
        coarse = who.log_likelihood(one.histories.scaled(1 / DAY))
        assert coarse == pytest.approx(who.log_likelihood(exact), rel=1e-3)


def test_late_events_and_the_same_instant_twice_are_histories_too() -> None:
    """A last purchase after the clock counts as just now; two at once have no recency; who has none is left out."""
    count, first, last = np.array([0, 1, 3, 2]), np.array([0, AT + DAY, AT, AT]), np.array([0, AT + DAY, AT + WEEK, AT])
    found = tell(0, AT, OF, (count, first, last), np.array([np.nan, 0.0, -5.0, 7e6]))
    assert found.histories.customers == 3
    assert found.histories.age.tolist() == [0, 0, 7 * DAY]
    assert (found.spends.mean.tolist(), found.without_value) == ([7e6], 1)
    assert tell(0, AT, OF, tuple(np.zeros((3, 0), np.int64)), np.zeros(0)).histories.customers == 0


def test_a_broken_record_says_what_is_wrong() -> None:
    """Whatever is on the topic."""
    good = tell(0, AT, OF, (np.ones(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)), np.zeros(1))
    for bad in (
        b"",
        b"\xff",
        good.encode()[:-1],
        msgspec.msgpack.encode(msgspec.to_builtins(good) | {"count": b"12345"}),
        msgspec.msgpack.encode(msgspec.to_builtins(good) | {"at": 1 << 60}),
    ):
        with pytest.raises(ValueError, match="broken histories"):
            ShardHistories.decode(bad)


# The trainer


def test_a_fit_is_due_when_every_shard_has_told_anew(cdnow: Customers) -> None:
    """Also after a restart, which reads what each has told last and the note of what was used."""
    gathered = Gathered(2, ShardHistories.decode)
    early, late = told(cdnow, 2), told(cdnow, 2, at=AT + DAY)
    gathered.take(key_of(early[0]), early[0].encode())
    assert not gathered.due()
    gathered.take(key_of(early[1]), early[1].encode())
    assert gathered.due()
    assert task_of(gathered, None, 50) == Task([one.encode() for one in early], AT + 50, None)
    assert not gathered.due()
    gathered.take(key_of(late[0]), late[0].encode())
    assert not gathered.due()
    again = Gathered(2, ShardHistories.decode)
    for one in (early[1], late[0]):
        again.take(key_of(one), one.encode())
    again.take(USED, msgspec.json.encode(gathered.used))
    assert not again.due()
    again.take(key_of(late[1]), late[1].encode())
    assert again.due()
    other = msgspec.structs.replace(late[1], of="tickets", at=AT + 2 * DAY)
    again.take(key_of(other), other.encode())
    assert task_of(again, None, 50) is None
    assert again.due(), "once they agree"
    with pytest.raises(ValueError, match="broken note"):
        again.take(USED, b"{")


def test_a_child_process_finds_the_same(cdnow: Customers) -> None:
    """What it is given and what it gives go through pipes; too little to fit is an answer, a crash is an error."""
    task = Task([one.encode() for one in told(cdnow, 2)], AT)
    done = asyncio.run(fit_beside(task))
    assert done.model == fit(task).model
    assert done.model is not None
    assert done.seconds > 0
    later = asyncio.run(fit_beside(Task(task.told, AT, done.model)))
    assert LifetimeModel.from_json(later.model or b"").version == 2
    few = asyncio.run(fit_beside(Task([told(cdnow, 200)[0].encode()], AT)))
    assert "customers bought more than once" in few.refused
    assert few.model is None
    with pytest.raises(RuntimeError, match=r"(?s)ended with code 1: .*broken histories"):
        asyncio.run(fit_beside(Task([b"nothing"], AT)))
    assert Done().change == 0


def test_a_population_is_told_in_words_with_what_to_mind(cdnow: Customers) -> None:
    """Figures that a person can check by another way; a warning only where there is something to mind."""
    model = fit_lifetime(told(cdnow, 1), AT).model
    text = "\n".join(sentences(model, "USD"))
    assert f"buy {model.r / model.alpha * 365 * DAY:.3g} times a year" in text
    assert "24.6% leave for good" in text
    new = model.purchases.purchases_of_new(365 * DAY)
    assert f"{new:.2g} times on average" in text
    gone = int(text.split("more likely gone than not after ")[1].split()[0])
    before, after = (model.purchases.p_alive(4, 120 * DAY, (120 + gone + d) * DAY)[()] for d in (-1, 1))
    assert before > 0.5 > after
    assert f"worth {model.spend.population_mean / 1e6:,.2f} USD" in text if model.spend else False
    assert warnings(model) == []
    odd = msgspec.structs.replace(model, correlation=0.45, unknown=("b", "q"))
    assert [("correlation +0.45" in one, "too high" in one, "b, q" in one) for one in warnings(odd)] == [
        (True, True, False),
        (False, False, True),
    ]
    assert len(sentences(msgspec.structs.replace(model, p=None, q=None, gamma=None), "USD")) == 4

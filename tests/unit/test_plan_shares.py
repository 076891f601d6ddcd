"""Shares of the customers: what is measured for cuts, of whom, and random shares that stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream.events.text import id_hash
from stream.plan.runtime import share_of
from stream.plan.shares import find_shares
from tests.oracle.shares import murmur3
from tests.oracle.shares import share_of as share_by_hand
from tests.shards import Driver, definitions, event, logs, plan_of

START = 1_700_000_000_000
RFM: dict[str, Any] = {
    "dimension": "rfm",
    "among": "orders >= 1",
    "features": {
        "orders": {"count": "Order Completed"},
        "spend": {"sum": "total", "of": "Order Completed"},
        "ago": {"since": "Order Completed"},
        "views": {"count": "Product Viewed"},
    },
    "segments": [
        {"segment": "best", "when": "spend in top 20% and quintile(ago) == 1"},
        {"segment": "good", "when": "quintile(spend) >= 4 or -spend in bottom 10%"},
    ],
}


def test_measures_are_filled_for_those_who_count() -> None:
    """The value at that instant of whoever meets ``among``; missing for all others."""
    plan = plan_of(RFM)
    assert [text.split(" @")[0] for text in plan.measures] == [
        "rfm: -spend among orders >= 1",
        "rfm: ago among orders >= 1",
        "rfm: spend among orders >= 1",
    ]
    assert plan.cuts == ((0, 0.1), (1, 0.2), (2, 0.6), (2, 0.8))
    history = [
        event("ann", "Order Completed", START, total=20),
        event("bo", "Product Viewed", START + 5),
        event("cy", "Order Completed", START + 10, total=5),
    ]
    shard = Driver(plan, logs(history, START + 20)).finish().shard
    into = np.zeros((3, 3))
    plan.kernels.measure(shard.rows.table, shard.rows.bags, shard.versions.slots, np.arange(3), START + 100, into)
    by_key = {key.decode(): into[i].tolist() for i, key in enumerate(shard.rows.keys)}
    assert by_key["ann"] == [-20e6, 100.0, 20e6]
    assert by_key["cy"] == [-5e6, 90.0, 5e6]
    assert np.isnan(by_key["bo"]).all()


def test_a_measure_is_called_the_same_as_long_as_it_means_the_same() -> None:
    """So that its cuts go on being used under new definitions; other segments and prose do not matter to it."""

    def names(**changed: Any) -> list[str]:
        return [measure.text for measure in find_shares(definitions(RFM | changed)).measures]

    features = RFM["features"]
    assert names(segments=RFM["segments"][::-1], description="Words.") == names()
    assert set(names(features=features | {"views": {"count": "Page Viewed"}})) == set(names())
    for other in (
        names(among="orders >= 2"),
        names(dimension="rfm2"),
        names(features=features | {"spend": {"sum": "revenue", "of": "Order Completed"}}),
        names(features=features | {"orders": {"count": "Checkout Started"}}),
    ):
        assert not {text for text in other if "-spend" in text} & set(names())


@pytest.mark.parametrize(
    ("data", "seed", "expected"),
    [(b"", 0, 0), (b"", 1, 0x514E28B7), (b"test", 0, 0xBA6BD213), (b"test", 0x9747B28C, 0x704B81DC)],
)
def test_the_hash_is_the_published_one(data: bytes, seed: int, expected: int) -> None:
    """Known values of MurmurHash3_x86_32, so that whoever reads the data elsewhere can work out the shares."""
    assert murmur3(data, seed) == expected


def test_a_random_share_is_fair_and_stays() -> None:
    """Its size is what it says, two names are independent, and the engine's own computation is the same."""
    people = [f"customer-{k}" for k in range(20_000)]
    seeds = [id_hash(name) & 0xFFFFFFFF for name in ("one", "two")]
    found = np.array([[share_of(id_hash(person), seed) for seed in seeds] for person in people])
    inside = found < 0.1
    assert inside.mean(axis=0) == pytest.approx([0.1, 0.1], abs=0.01)
    assert (inside[:, 0] & inside[:, 1]).mean() == pytest.approx(0.01, abs=0.003)
    assert found.min() >= 0
    assert found.max() < 1
    assert [share_by_hand(person, "one") for person in people[:200]] == found[:200, 0].tolist()
    assert share_by_hand("customer-7", "one") == 0.027376111829653382  # for ever

"""RFM on real purchases: the engine against pandas, customer by customer.

What config/segments/rfm.yaml says, written down a second time from the textbook: recency, frequency and monetary value
are scored 1 to 5 by fifths of all buyers at the end of the file, and the scores give the name.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from stream.app.bootstrap import make_decoder, make_shard
from stream.app.definition_files import read_definitions
from stream.history.mapping import load_mapping
from stream.history.reader import read_events
from stream.history.replay import SOURCES, CutsPace, Replay
from stream.plan.definitions import Definitions
from stream.plan.plan import twin_plan
from stream.settings import load_settings
from tests.conftest import REPOSITORY
from tests.samples import mapping_file, sample

FIFTHS = (0.2, 0.4, 0.6, 0.8)


def fifth(values: pd.Series[float]) -> pd.Series[int]:
    """1 for the lowest fifth to 5 for the highest; equal values are in the same one, as low as it can be."""
    cuts = np.quantile(values, FIFTHS, method="inverted_cdf")
    return pd.Series(1 + (values.to_numpy()[:, None] > cuts).sum(axis=1), index=values.index)


def name_of(recency: int, frequency: int, monetary: int) -> str:
    """The usual name for three scores, 5 being the best of each."""
    good = min(frequency, monetary) >= 3
    best = min(frequency, monetary) >= 4
    if best and recency >= 4:
        return "champions"
    if good and recency >= 3:
        return "loyal-customers"
    if good:
        return "cant-lose-them" if best and recency == 1 else "at-risk"
    if recency >= 4:
        beginners = {5: "new-customers", 4: "promising"}
        return beginners[recency] if frequency == 1 else "potential-loyalists"
    if recency == 3:
        return "need-attention" if max(frequency, monetary) >= 3 else "about-to-sleep"
    return "hibernating" if recency == 2 else "lost"


@cache
def by_pandas(path: Path) -> dict[str, str]:
    """The segment of each customer, from the file alone."""
    columns = ["customer", "sample", "day", "items", "dollars"]
    orders = pd.read_csv(path, sep=r"\s+", header=None, names=columns, dtype={"customer": str, "day": str})
    orders["day"] = pd.to_datetime(orders["day"], format="%Y%m%d")
    orders["micros"] = (orders["dollars"] * 1_000_000).round()
    customers = orders.groupby("customer").agg(last=("day", "max"), orders=("day", "size"), micros=("micros", "sum"))
    absence = (orders["day"].max() - customers["last"]).dt.days.astype(float)
    scores = zip(
        customers.index,
        6 - fifth(absence),
        fifth(customers["orders"].astype(float)),
        fifth(customers["micros"]),
        strict=True,
    )
    return {str(customer): name_of(r, f, m) for customer, r, f, m in scores}


@cache
def by_engine(path: Path) -> dict[str, str | None]:
    """The segment of each customer at the end of a replay that learns its cuts on the whole file."""
    config = REPOSITORY / "config"
    settings = load_settings(config)
    rfm = tuple(d for d in read_definitions(config / "segments").dimensions if d.name == "rfm")
    plan = twin_plan(Definitions(rfm))
    shard = make_shard(settings, plan, 0, SOURCES, everyone=True)
    replay = Replay(shard, make_decoder(settings, plan, replay=True), cuts=CutsPace())
    found: dict[str, str | None] = {}
    for step in replay.run(read_events([path], load_mapping(str(mapping_file("cdnow"))), sort=True), None):
        found |= {change.subject: change.to_segment for change in step.changes}
    return found


def test_every_customer_of_the_sample_is_in_the_segment_that_pandas_says() -> None:
    """2,357 customers, all of them."""
    path = sample("cdnow-sample.txt")
    assert by_engine(path) == by_pandas(path)


def test_the_names_divide_the_buyers_of_a_real_shop() -> None:
    """All of the sample began in early 1997, so at its end nobody is new; every other name has somebody."""
    sizes = Counter(by_pandas(sample("cdnow-sample.txt")).values())
    assert {"new-customers", "promising"}.isdisjoint(sizes)
    assert len(sizes) == 9
    assert max(sizes.values()) < 0.3 * sizes.total()

"""The CDNOW sample as the BG/NBD paper takes it: days with an order are purchases, time is in weeks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: The paper's: histories up to here, 39 weeks of holdout after it.
CALIBRATION_END = date(1997, 9, 30)
HOLDOUT_END = date(1998, 6, 30)
WEEK = 7.0


def purchases(path: Path) -> dict[str, dict[date, float]]:
    """Customer -> the days on which they bought -> dollars of that day."""
    found: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in path.read_text().splitlines():
        _, customer, day, _, dollars = line.split()
        found[customer][datetime.strptime(day, "%Y%m%d").date()] += float(dollars)  # noqa: DTZ007  a day has no zone
    return found


@dataclass(frozen=True)
class Customers:
    """One place a customer.

    Parameters
    ----------
    frequency, recency, age
        Repeat purchases, weeks to the last one, weeks up to the end.
    mean
        Dollars of a repeat purchase on average, 0 without one.
    later
        Purchases after the end, up to the end of the holdout.
    """

    frequency: Floats
    recency: Floats
    age: Floats
    mean: Floats
    later: Floats


def customers(path: Path, end: date = CALIBRATION_END) -> Customers:
    """All customers who had bought by then."""
    rows = []
    for days in purchases(path).values():
        seen = sorted(day for day in days if day <= end)
        if not seen:
            continue
        again = [days[day] for day in seen[1:]]
        later = sum(end < day <= HOLDOUT_END for day in days)
        mean = sum(again) / len(again) if again else 0.0
        rows.append((len(again), weeks(seen[-1] - seen[0]), weeks(end - seen[0]), mean, later))
    return Customers(*np.array(rows, np.float64).T)


def weeks(span: timedelta) -> float:
    """A span of days in weeks."""
    return span.days / WEEK

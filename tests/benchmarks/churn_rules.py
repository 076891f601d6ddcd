"""Which rule tells best who will not come back: `python -m tests.benchmarks.churn_rules` (the CDNOW sample).

Four ways to call a customer at risk: absent for some multiple of the customer's own usual gap (as
config/segments/lifecycle.yaml has it), absent for a fixed time, P(alive) below a threshold, P(buys within 26 weeks)
below one. BG/NBD is fitted to what was known on 1997-09-30; all figures are of later days.

Every week from then until 1997-12-30 each customer is asked about: does the rule call them at risk, and do they buy
again within 26 weeks. Precision is the share of those called that do not; recall the share of those that do not that
are called; AUC compares the rules without any threshold. Lead time is by order: where no other follows within 26 weeks,
how many days before these are over the rule has spoken, in the median (0: it has not).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.stats import mannwhitneyu

from stream.features.base import FOREVER
from stream.features.fading import alive, alive_until, buys, buys_until
from stream.predict.alive import fit_bgnbd
from stream.predict.histories import Histories
from tests.cdnow import CALIBRATION_END, HOLDOUT_END, customers, purchases

AHEAD = 26 * 7
DAY_MS = 86_400_000
#: The shipped rule: believed from the third order on, before that 45 days; between 7 and 180.
DEFAULT_GAP, LEAST_GAP, MOST_GAP, AFTER = 45.0, 7.0, 180.0, 3


@dataclass(frozen=True)
class Past:
    """A customer at an instant: how many orders, days from the first to the last, days since."""

    orders: int
    span: int
    since: int


#: How late a customer is by a rule; at risk where it reaches the threshold.
Score = Callable[[Past], float]
#: How many days after the last order a rule speaks.
Delay = Callable[[Past, float], float]


def gap(past: Past) -> float:
    """The usual gap in days."""
    if past.orders < AFTER:
        return DEFAULT_GAP
    return min(max(past.span / (past.orders - 1), LEAST_GAP), MOST_GAP)


def predicted(file: Path) -> dict[str, tuple[Score, Delay]]:
    """The rules by BG/NBD, of the population of the calibration; the scores are P(gone) and P(buys nothing)."""
    known = customers(file)
    model = fit_bgnbd(Histories.of(known.frequency, known.recency * 7, known.age * 7)).model
    population = (model.r, model.alpha * DAY_MS, model.a, model.b)
    horizon = float(AHEAD * DAY_MS)

    def gone(past: Past) -> float:
        last = past.span * DAY_MS
        return 1.0 - float(alive(past.orders, 0, last, last + past.since * DAY_MS, *population))

    def gone_after(past: Past, threshold: float) -> float:
        last = past.span * DAY_MS
        return spoken(gone(past), threshold, last, alive_until(past.orders, 0, last, last, 1 - threshold, *population))

    def nothing(past: Past) -> float:
        last = past.span * DAY_MS
        return 1.0 - float(buys(past.orders, 0, last, last + past.since * DAY_MS, horizon, *population))

    def nothing_after(past: Past, threshold: float) -> float:
        last = past.span * DAY_MS
        until = buys_until(past.orders, 0, last, last, 1 - threshold, horizon, *population)
        return spoken(nothing(past), threshold, last, until)

    return {"P(alive)": (gone, gone_after), "P(buys)": (nothing, nothing_after)}


def spoken(score: float, threshold: float, last: int, until: int) -> float:
    """Days from an order to the instant from which the score reaches the threshold: at once, then, or never."""
    if score >= threshold:
        return 0.0
    return (until - last) / DAY_MS if until != FOREVER else float("inf")


@dataclass(frozen=True)
class Asked:
    """All that is asked about: pasts, and whether each buys again within 26 weeks; orders, and whether one followed."""

    pasts: list[Past]
    returns: NDArray[np.bool_]
    orders: list[Past]
    followed: NDArray[np.bool_]

    def only(self, least: int) -> Asked:
        """Those with so many orders."""
        pasts = np.array([past.orders >= least for past in self.pasts])
        orders = np.array([past.orders >= least for past in self.orders])
        return Asked(
            [past for past in self.pasts if past.orders >= least],
            self.returns[pasts],
            [past for past in self.orders if past.orders >= least],
            self.followed[orders],
        )


def asked(file: Path) -> Asked:
    """Of every customer, every week; and every order between the calibration's end and 26 weeks before the last day."""
    end = HOLDOUT_END - timedelta(days=AHEAD)
    pasts, returns, orders, followed = [], [], [], []
    for found in purchases(file).values():
        days = sorted(found)
        for n, day in enumerate(days):
            if CALIBRATION_END < day <= end:
                orders.append(Past(n + 1, (day - days[0]).days, 0))
                followed.append(n + 1 < len(days) and (days[n + 1] - day).days <= AHEAD)
        at: date = CALIBRATION_END + timedelta(days=1)
        while at <= end:
            before = [day for day in days if day <= at]
            if before:
                pasts.append(Past(len(before), (before[-1] - before[0]).days, (at - before[-1]).days))
                returns.append(any(0 < (day - at).days <= AHEAD for day in days))
            at += timedelta(days=7)
    return Asked(pasts, np.array(returns), orders, np.array(followed))


def rows(rule: str, unit: str, score: Score, delay: Delay, thresholds: list[float], all_: Asked) -> list[list[str]]:
    """One line a threshold."""
    scores = np.array([score(past) for past in all_.pasts])
    gone = ~all_.returns
    auc = mannwhitneyu(scores[gone], scores[~gone]).statistic / (gone.sum() * (~gone).sum())
    lines = []
    for threshold in thresholds:
        called = scores >= threshold
        leads = [
            max(0.0, AHEAD - delay(past, threshold))
            for past, came in zip(all_.orders, all_.followed, strict=True)
            if not came
        ]
        lines.append(
            [
                rule,
                unit.format(1.0 - threshold if rule.startswith("P(") else threshold),
                f"{called.mean():.0%}",
                f"{gone[called].mean():.1%}",
                f"{called[gone].mean():.1%}",
                f"{np.median(leads):.0f}",
                f"{auc:.3f}",
            ]
        )
    return lines


def main() -> int:
    """Print the table, for all customers and for those with two orders or more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="cdnow-sample.txt")
    options = parser.parse_args()
    models = predicted(options.file)
    console = Console()
    everyone = asked(options.file)
    for title, chosen in (
        ("everyone", everyone),
        ("two orders or more", everyone.only(2)),
        ("three or more", everyone.only(3)),
    ):
        gone = 1 - chosen.returns.mean()
        table = Table(
            box=box.SIMPLE_HEAD,
            title=f"{title}: {len(chosen.pasts):,} questions, {gone:.1%} buy nothing within 26 weeks",
            title_justify="left",
        )
        for column in ("rule", "at risk from", "called", "precision", "recall", "lead, days", "AUC"):
            table.add_column(column, justify="left" if column in ("rule", "at risk from") else "right")
        found = [
            *rows(
                "cadence",
                "{:g} usual gaps",
                lambda past: past.since / gap(past),
                lambda past, threshold: threshold * gap(past),
                [1.0, 1.5, 2.0, 3.0, 4.0],
                chosen,
            ),
            *rows(
                "recency",
                "{:g} days",
                lambda past: float(past.since),
                lambda past, threshold: threshold,
                [30.0, 60.0, 90.0, 120.0, 150.0],
                chosen,
            ),
            *rows("P(alive)", "below {:.2f}", *models["P(alive)"], [0.2, 0.3, 0.4, 0.5, 0.6], chosen),
            *rows("P(buys)", "below {:.2f}", *models["P(buys)"], [0.3, 0.4, 0.5, 0.6, 0.7, 0.8], chosen),
        ]
        for line in found:
            table.add_row(*line)
        console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

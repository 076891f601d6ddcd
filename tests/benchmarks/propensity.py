"""Whether propensity learned online holds what it says, on simulated shoppers: `python -m tests.benchmarks.propensity`.

Every shopper is asked about once a horizon, each at instants of their own: will they buy within it. The answers come
when it has passed. Half-way another kind of shopper comes, 20 % of all (`segstream simulate --drift-day`). What the
published version said when asked is what is scored: ROC AUC by month beside recency alone and P(buys) of BG/NBD, and
the calibration, tenth by tenth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import nan

import numpy as np
import orjson
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from stream.predict.alive import BgNbd, fit_bgnbd
from stream.predict.delayed import Answer, Question, Waiting
from stream.predict.histories import Histories
from stream.predict.progress import Window
from stream.predict.propensity import PropensityModel
from stream.predict.trainer import MODEL, PropensitySettings, PropensityTrainer
from stream.simulate.simulation import SimulationOptions, simulate

DAY_MS = 86_400_000
ORDER = "Order Completed"
#: Rates that forget, by event name and half-life in days.
RATES = (("Product Viewed", 3), ("Product Viewed", 21), ("Product Added", 7), (ORDER, 30), (ORDER, 120))
FEATURES = (
    "since_order",
    "since_event",
    "orders",
    "usual_gap",
    "late",
    *(f"{n} {d}d" for n, d in RATES),
    "log odds of P(buys)",
)
#: BG/NBD is fitted anew this often.
REFIT_DAYS = 30


@dataclass
class Shopper:
    """What the features need of one."""

    seen: int = 0
    orders: int = 0
    first: int = 0
    last: int = 0
    rates: list[float] = field(default_factory=lambda: [0.0] * len(RATES))
    rated: int = 0

    def take(self, name: str, at: int) -> None:
        """One event."""
        self.decay(at)
        self.rates = [rate + (name == of) for rate, (of, _) in zip(self.rates, RATES, strict=True)]
        self.seen = at
        if name == ORDER:
            self.first = self.first if self.orders else at
            self.orders, self.last = self.orders + 1, at

    def decay(self, at: int) -> None:
        """Bring the rates to an instant."""
        days = (at - self.rated) / DAY_MS
        self.rates = [rate * 0.5 ** (days / life) for rate, (_, life) in zip(self.rates, RATES, strict=True)]
        self.rated = at

    def vector(self, at: int, p_buys: float) -> NDArray[np.float64]:
        """The features at an instant, in days."""
        self.decay(at)
        since = (at - self.last) / DAY_MS if self.orders else nan
        gap = (self.last - self.first) / DAY_MS / (self.orders - 1) if self.orders > 2 else nan
        late = since / max(gap, 0.5)
        return np.array(
            [since, (at - self.seen) / DAY_MS, self.orders, gap, late, *self.rates, np.log(p_buys / (1 - p_buys))]
        )


class Study:
    """Asks, waits, learns and keeps score."""

    def __init__(self, horizon_ms: int, prompt: bool, months: int) -> None:
        self.trainer = PropensityTrainer(PropensitySettings(FEATURES, horizon_ms, ("recency", "buys")))
        self.waiting: Waiting[str] = Waiting(horizon_ms, prompt=prompt)
        self.model: PropensityModel | None = None
        self.population: BgNbd | None = None
        self.shoppers: dict[str, Shopper] = {}
        judges = (MODEL, "recency", "buys")
        self.months = [Window(judges, 1_000_000) for _ in range(months)]
        self.month_ms = 30 * DAY_MS
        self.start = 0

    def ask(self, customer: str, at: int) -> None:
        """Keep what is known of one now."""
        shopper = self.shoppers[customer]
        horizon = float(self.waiting.horizon_ms)
        buys = nan
        if self.population is not None and shopper.orders:
            past = shopper.orders - 1, shopper.last - shopper.first, at - shopper.first
            buys = float(self.population.p_buys(*past, horizon))
        vector = shopper.vector(at, buys)
        said = float(self.model.probability(vector[np.newaxis])[0]) if self.model is not None else nan
        self.waiting.ask(customer, Question(at, vector, (said, -vector[0], buys)))

    def settle(self, now: int) -> None:
        """Learn what has passed; publish what is due; fit BG/NBD now and then."""
        for answer in self.waiting.passed(now):
            self.answered(answer, now)

    def answered(self, answer: Answer, now: int) -> None:
        """Keep score, learn, publish."""
        if not np.isnan(answer.question.said[0]):
            month = int((answer.question.at - self.start) // self.month_ms)
            self.months[month].add(answer.question.said, answer.came)
        self.trainer.learn([answer])
        if not self.trainer.warming_up and self.trainer.until_due() == 0:
            self.model = self.trainer.snapshot(now, {})

    def refit(self, now: int) -> None:
        """BG/NBD over all buyers so far."""
        rows = [
            (s.orders - 1, (s.last - s.first) if s.orders > 1 else 0, now - s.first)
            for s in self.shoppers.values()
            if s.orders
        ]
        try:
            self.population = fit_bgnbd(Histories.of(*np.array(rows, np.float64).T), self.population).model
        except ValueError:
            return


def grid(start: int, end: int, horizon_ms: int) -> Iterator[int]:
    """Hours, at which those are asked about whose turn it is."""
    return iter(range(start, end, min(3_600_000, horizon_ms)))


def main() -> int:
    """Simulate, study, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_500)
    parser.add_argument("--days", type=int, default=360)
    parser.add_argument("--horizon-days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompt", action="store_true", help="learn a purchase at once, not at the horizon's end")
    options = parser.parse_args()
    simulated = SimulationOptions(options.customers, float(options.days), options.seed, drift_day=options.days / 2)
    study = Study(options.horizon_days * DAY_MS, options.prompt, options.days // 30 + 1)
    study.start = simulated.start_ms
    rng = np.random.default_rng(options.seed)
    hours = grid(simulated.start_ms, simulated.end_ms, study.waiting.horizon_ms)
    hour = next(hours)
    asks: dict[int, list[str]] = {}
    fitted = simulated.start_ms
    for event in simulate(simulated):
        while hour <= event.instant_ms:
            study.settle(hour)
            slot = hour // 3_600_000
            for customer in asks.pop(slot, []):
                study.ask(customer, hour)
                asks.setdefault(slot + options.horizon_days * 24 + 1, []).append(customer)
            if hour - fitted >= REFIT_DAYS * DAY_MS:
                study.refit(hour)
                fitted = hour
            hour = next(hours, 1 << 60)
        told = orjson.loads(event.value)
        customer = told.get("userId") or told.get("anonymousId")
        if customer is None:
            continue
        if customer not in study.shoppers:
            study.shoppers[customer] = Shopper(rated=event.instant_ms)
            first = event.instant_ms // 3_600_000 + 1 + int(rng.integers(options.horizon_days * 24))
            asks.setdefault(first, []).append(customer)
        name = told.get("event", "")
        study.shoppers[customer].take(name, event.instant_ms)
        if name == ORDER:
            answer = study.waiting.bought(customer, event.instant_ms)
            if answer is not None:
                study.answered(answer, event.instant_ms)
    report(study)
    return 0


def report(study: Study) -> None:
    """The tables."""
    console = Console()
    table = Table(box=box.SIMPLE_HEAD, title="ROC AUC by month", title_justify="left")
    for column in ("month", "answers", "came", "model", "recency", "P(buys)", "log loss"):
        table.add_column(column, justify="right")
    for month, window in enumerate(study.months):
        if len(window):
            figures = [f"{window.auc(judge):.3f}" for judge in window.judges]
            table.add_row(
                *(
                    str(month + 1),
                    str(len(window)),
                    f"{window.came.mean():.0%}",
                    *figures,
                    f"{window.log_loss(MODEL):.3f}",
                )
            )
    console.print(table)
    for title, months in (("all months", study.months), ("the last three", study.months[-4:])):
        whole = Window((MODEL,), 1_000_000)
        for window in months:
            for said, came in zip(window.said(MODEL), window.came, strict=True):
                whole.add(said, bool(came))
        console.print(f"calibration, {title}: AUC {whole.auc(MODEL):.3f}")
        for part in whole.calibration(MODEL):
            gap = part.said - part.came
            console.print(
                f"  said {part.said:6.1%}  came {part.came:6.1%}  {gap:+6.1%}  of {part.count}", highlight=False
            )
    console.print(f"regressions, by log loss lately: {study.trainer.losses()}")


if __name__ == "__main__":
    sys.exit(main())

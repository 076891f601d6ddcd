"""Whether a prediction learned in the stream holds what it says, on simulated shoppers:
`python -m tests.benchmarks.propensity`.

Their events go through the engine as in a replay: shards ask about every shopper once a horizon, each at instants of
their own, the trainer learns the answers when it has passed, and shoppers are judged by its versions. Half-way another
kind of shopper comes, 20 % of all (`segstream simulate --drift-day`). What the version in force said when asked is what
is scored: ROC AUC by month, and the calibration, tenth by tenth; beside it days of absence alone, and P(alive) and
P(buys) by the model of lifetimes, which is fitted anew every week.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from stream.app.bootstrap import make_decoder, make_shard, propensity_pace, propensity_settings
from stream.compiled import compile_plan
from stream.history.record import FileRecord
from stream.history.replay import SOURCES, Replay
from stream.plan.definitions import parse_definitions
from stream.predict.delayed import Answer
from stream.predict.fitting import fit_lifetime
from stream.predict.learning import PropensityLearner
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.measuring import histories_of
from stream.predict.progress import Window
from stream.predict.settling import BASELINES, Asked, Settling
from stream.predict.trainer import PropensityTrainer
from stream.predict.trainer_state import MODEL
from stream.predict.trial import Verdict
from stream.settings import load_settings
from stream.simulate.simulation import SimulationOptions, simulate

DAY_MS = 86_400_000
LIKELY = """
dimension: likely-to-buy
every: 1d
features:
  orders: {{count: Order Completed, less: [Order Refunded, Order Cancelled]}}
  since_order: {{since: Order Completed}}
  since_seen: {{since: [Page Viewed, Product Viewed, Product Added, Order Completed]}}
  gap: {{spread: Order Completed, last: 6}}
  looked: {{rate: Product Viewed, half_life: 3d}}
  looking: {{rate: Product Viewed, half_life: 21d}}
  adding: {{rate: Product Added, half_life: 7d}}
  bought: {{rate: Order Completed, half_life: 30d}}
  buying: {{rate: Order Completed, half_life: 120d}}
  alive: {{alive: Order Completed}}
  will_buy:
    predict: Order Completed
    within: {days}d
    from: [orders, since_order, since_seen, gap.mean, gap, looked, looking, adding, bought, buying]
segments:
  - {{segment: likely, when: will_buy >= 60%}}
"""


class Study:
    """Keeps score of what was said, month by month, beside the learner that learns from it."""

    def __init__(self, start: int, months: int) -> None:
        self.start = start
        self.months = [Window((MODEL, *BASELINES), 1_000_000) for _ in range(months)]
        self.trainer: PropensityTrainer | None = None
        self.verdicts: list[Verdict] = []

    def answered(self, answer: Answer) -> None:
        """One answer: what had been said of it, if a version was in force."""
        if not np.isnan(answer.question.said[0]):
            self.months[int((answer.question.at - self.start) // (30 * DAY_MS))].add(answer.question.said, answer.came)


class Scored(Settling):
    """Open questions that tell a study of each answer."""

    study: Study

    def take(self, asked: Asked, place: int, tried: tuple[float, ...] = ()) -> Answer | None:
        """See `Settling.take`."""
        answer = super().take(asked, place, tried)
        if answer is not None:
            self.study.answered(answer)
        return answer


class Tried(PropensityLearner):
    """A learner that tells a study of each verdict on its drafts."""

    study: Study

    def take(self, asked: Asked, place: int) -> bool:
        """See `PropensityLearner.take`."""
        learned = super().take(asked, place)
        trial = self.trainer.trial
        if trial is not None and trial.verdict is not None and trial.verdict not in self.study.verdicts[-1:]:
            self.study.verdicts.append(trial.verdict)
        return learned


def records(options: SimulationOptions) -> Iterator[FileRecord]:
    """The simulated events as lines of a file."""
    for line, event in enumerate(simulate(options), 1):
        yield FileRecord("simulated", line, event.topic, event.key, event.value, event.instant_ms)


def refit(replay: Replay) -> None:
    """The model of lifetimes, a week after the one before; where too few bought again, there is none yet."""
    shard, before = replay.shard, [one for one in replay.learned if isinstance(one, LifetimeModel)]
    now = shard.clock_ms
    if now is None or (before and now < before[-1].effective + 7 * DAY_MS):
        return
    with suppress(ValueError):
        replay.publish(fit_lifetime([histories_of(shard)], now + 60_000, before[-1] if before else None).model)


def main() -> int:
    """Simulate, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_500)
    parser.add_argument("--days", type=int, default=360)
    parser.add_argument("--horizon-days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    simulated = SimulationOptions(options.customers, float(options.days), options.seed, drift_day=options.days / 2)
    study = Study(simulated.start_ms, options.days // 30 + 1)
    settings = load_settings()
    definitions = parse_definitions({"likely-to-buy.yaml": LIKELY.format(days=options.horizon_days)})
    with tempfile.TemporaryDirectory() as cache:
        plan = compile_plan(definitions, Path(cache))
        (how,) = propensity_settings(settings, plan)
        learner = Tried(how, propensity_pace(settings))
        learner.settling = scored = Scored(how.horizon_ms, settings.propensity.most_questions)
        scored.study = learner.study = study
        shard = make_shard(settings, plan, 0, SOURCES, everyone=True)
        replay = Replay(shard, make_decoder(settings, plan, replay=True), predictions=[learner])
        for _ in replay.run(records(simulated), None):
            refit(replay)
    study.trainer = learner.trainer
    report(study)
    for tried in study.verdicts:
        print(
            f"after {tried.answers} answers: log loss {tried.loss:.3f} ({tried.rival} {tried.rival_loss:.3f}), "
            f"AUC {tried.auc:.3f} ({tried.rival_auc:.3f}), {'better' if tried.better else 'not better'}"
        )
    lifetimes = sum(isinstance(one, LifetimeModel) for one in replay.learned)
    print(f"versions published: {len(replay.learned) - lifetimes}, and {lifetimes} of the model of lifetimes")
    return 0


def report(study: Study) -> None:
    """The tables."""
    console = Console()
    table = Table(box=box.SIMPLE_HEAD, title="ROC AUC by month", title_justify="left")
    for column in ("month", "answers", "came", MODEL, *BASELINES, "log loss"):
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
    if study.trainer is not None:
        console.print(f"regressions, by log loss lately: {study.trainer.losses()}")


if __name__ == "__main__":
    sys.exit(main())

"""What a new version of what is learned costs, by the customer: `python -m tests.benchmarks.moves [--customers 10000]`.

A simulated shop is replayed with the clusters and cuts that it learns; then once more, a new model of lifetimes being
published every day, too.  Told is the processor time of moving customers from version to version, beside the time of
all else, which wall clocks do not matter to.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from stream.app import bootstrap
from stream.app.plans import Plans
from stream.cluster.trainer import Trainer
from stream.engine.switching import Switching
from stream.history.replay import SOURCES, CutsPace, Replay
from stream.history.wire_lines import wire_record
from stream.plan.plan import Plan
from stream.predict.lifetime_model import LifetimeModel
from stream.settings import Settings, load_settings
from tests.benchmarks.reevaluate import definitions
from tests.benchmarks.shop import WITH_PAGES, Shop

DAY_MS = 86_400_000
#: Events of a customer.
EVENTS = 60
#: The first model of lifetimes holds after so many days.
FIRST = 4


class Moves:
    """Time and rows of the kernel that fires deadlines, apart where it moves customers to a version."""

    def __init__(self, plan: Plan) -> None:
        self.seconds, self.rows, self._switching = 0.0, 0, False
        object.__setattr__(plan.kernels, "fire", self._timed(plan.kernels.fire))
        switch = Switching.switch

        def switched(switching: Switching, *given: Any) -> Any:
            self._switching = True
            try:
                return (yield from switch(switching, *given))
            finally:
                self._switching = False

        setattr(Switching, "switch", switched)  # noqa: B010  mypy: a method is not assigned to

    def _timed(self, fire: Callable[..., tuple[int, int]]) -> Callable[..., tuple[int, int]]:
        def timed(*given: Any) -> tuple[int, int]:
            began, start = time.thread_time(), given[-1]
            n, stop = fire(*given)
            if self._switching:
                self.seconds += time.thread_time() - began
                self.rows += stop - start
            return n, stop

        return timed


def run(settings: Settings, customers: int, *, lifetimes: bool) -> None:
    """Replay the shop, and tell."""
    plans = Plans(settings, replay=True)
    plan = bootstrap.make_plan(definitions(settings, changed=False), settings)
    shard = bootstrap.make_shard(settings, plan, 0, SOURCES, everyone=True, plans=plans)
    learning = bootstrap.trainer_settings(settings, plan)
    replay = Replay(
        shard,
        plans.decoder_of(plan),
        trainer=Trainer(learning) if learning is not None else None,
        lead=settings.clusters.lead,
        cuts=CutsPace(settings.cuts.every, settings.cuts.lead),
    )
    shop = Shop(customers, customers * EVENTS, pages=True)
    if lifetimes:
        first = next(shop.simulated()).instant_ms
        days = range(FIRST, int(EVENTS / WITH_PAGES))
        replay.versions(
            LifetimeModel(k, first + day * DAY_MS, 0.5, 40.0 * DAY_MS + k, 0.8, 2.4, 6.25, 3.74, 15.44e6)
            for k, day in enumerate(days, 1)
        )
    moves = Moves(plan)
    began = time.thread_time()
    for _ in replay.run((wire_record("simulated", n, one.value) for n, one in enumerate(shop.simulated(), 1)), None):
        pass
    spent = time.thread_time() - began
    what = "with lifetimes" if lifetimes else "clusters and cuts"
    each = moves.seconds / moves.rows * 1e6
    print(f"{what}: {each:.1f} us a customer and version ({moves.rows:,} moves, {moves.seconds:.2f} s of {spent:.1f})")


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    options = parser.parse_args()
    settings = load_settings(None)
    for lifetimes in (False, True):
        run(settings, options.customers, lifetimes=lifetimes)


if __name__ == "__main__":
    main()

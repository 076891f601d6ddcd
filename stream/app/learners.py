"""What learns beside the shards: the trainer of the clusters, and the learner of cuts by share."""

from __future__ import annotations

from collections.abc import Callable

from stream.app import bootstrap
from stream.cluster.learner import Learner, LearnerSettings
from stream.cluster.service import TrainerService
from stream.cuts.service import CutsService
from stream.kafka.client import consumer_options, producer_options
from stream.plan.plan import Plan
from stream.settings import Settings

#: Makes what learns by a plan, given whom to tell of its failure; None: there is nothing to learn.
MakeLearner = Callable[[Settings, Plan, Callable[[BaseException], None]], Learner | None]


def learner_settings(settings: Settings, source: str, lead_ms: int) -> LearnerSettings:
    """Where a learner, or whoever else publishes versions, reads and writes."""
    return LearnerSettings(
        settings.app.id,
        source,
        settings.topics.control,
        consumer_options(settings),
        producer_options(settings),
        lead_ms=lead_ms,
        transaction_seconds=settings.batch.transaction_timeout / 1000,
    )


def make_trainer(settings: Settings, plan: Plan, on_failure: Callable[[BaseException], None]) -> Learner | None:
    """The trainer of the plan's learned dimension; None where it has none."""
    training = bootstrap.trainer_settings(settings, plan)
    if training is None:
        return None
    where = learner_settings(settings, settings.topics.vectors, settings.clusters.lead)
    return TrainerService(where, training, on_failure, share=settings.clusters.share)


def make_cuts_learner(settings: Settings, plan: Plan, on_failure: Callable[[BaseException], None]) -> Learner | None:
    """The learner of the plan's cuts; None where no condition asks for any."""
    if not plan.cuts:
        return None
    where = learner_settings(settings, settings.topics.summaries, settings.cuts.lead)
    return CutsService(where, settings.app.partitions, on_failure)

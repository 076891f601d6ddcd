"""What learns beside the shards: trainers of clusters, predictions and lifetimes, and the learner of cuts by share."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

from stream.app import bootstrap
from stream.app.metrics import Metrics
from stream.cluster.model import ClusterModel
from stream.kafka.client import consumer_options, producer_options
from stream.learners.clusters import TrainerService
from stream.learners.cuts import CutsService
from stream.learners.learner import Learner, LearnerSettings
from stream.learners.lifetimes import LifetimeService
from stream.learners.predictions import PropensityService
from stream.plan.plan import Plan
from stream.predict.learning import PropensityLearner
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.measuring import asks_for_lifetimes
from stream.predict.trainer_state import MODEL
from stream.predict.trial import DRAFT
from stream.settings import Settings

#: Makes what learns by a plan, given whom to tell of its failure, and where to count; None: there is nothing to learn.
MakeLearner = Callable[[Settings, Plan, Callable[[BaseException], None], Metrics], Learner | None]


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


class ClusterReports:
    """What the trainer does, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def learned(self, learned: int, skipped: int, seconds: float) -> None:
        """Count vectors, and what learning them cost."""
        self._metrics.cluster_vectors.labels("learned").inc(learned)
        self._metrics.cluster_vectors.labels("skipped").inc(skipped)
        self._metrics.cluster_learning.inc(seconds)

    def drifted(self, what: str) -> None:
        """Count a drift."""
        self._metrics.cluster_drift.labels(what).inc()

    def published(self, model: ClusterModel) -> None:
        """Show a version; what clusters and candidates there are no more is not shown any longer."""
        metrics = self._metrics
        metrics.no_trainer()
        metrics.cluster_version.set(model.version)
        for score in model.scores:
            metrics.cluster_candidate.labels(score.candidate).set(score.inertia)
            if score.chosen:
                metrics.cluster_inertia.set(score.inertia)
                metrics.cluster_silhouette.set(score.silhouette)
        for segment, profile in zip(model.segments, model.profiles, strict=False):
            metrics.cluster_share.labels(segment).set(profile.share)
            metrics.cluster_homogeneity.labels(segment).set(profile.homogeneity)

    def ended(self) -> None:
        """Another worker tells of the clusters from now on."""
        self._metrics.no_trainer()


def make_trainer(
    settings: Settings, plan: Plan, on_failure: Callable[[BaseException], None], metrics: Metrics
) -> Learner | None:
    """The trainer of the plan's learned dimension; None where it has none."""
    training = bootstrap.trainer_settings(settings, plan)
    if training is None:
        return None
    where = learner_settings(settings, settings.topics.vectors, settings.clusters.lead)
    reports = ClusterReports(metrics)
    return TrainerService(where, training, on_failure, share=settings.clusters.share, reports=reports)


class PropensityReports:
    """What the trainers of predictions do, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def asked(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a question, and what learning from it cost."""
        self._metrics.propensity_questions.labels(outcome).inc()
        self._metrics.propensity_learning.inc(seconds)

    def tried(self, learner: PropensityLearner) -> None:
        """Show how good drafts are that are not published yet."""
        trial, name = learner.trainer.trial, learner.settings.title
        self._metrics.propensity_version.labels(name).set(0 if learner.newest is None else learner.newest.version)
        if trial is not None and trial.verdict is not None:
            self._metrics.propensity_auc.labels(name, DRAFT).set(trial.verdict.auc)

    def published(self, learner: PropensityLearner) -> None:
        """Show how good the answers of versions turned out to be, beside baselines on the same answers."""
        metrics, window, name = self._metrics, learner.trainer.window, learner.settings.title
        if learner.newest is not None:
            metrics.propensity_version.labels(name).set(learner.newest.version)
        metrics.propensity_auc.remove(name, DRAFT)
        for judge in (MODEL, *learner.settings.baselines):
            if not isnan(auc := window.auc(judge, among=MODEL)):
                metrics.propensity_auc.labels(name, judge).set(auc)
        if not isnan(worst := window.worst(MODEL)):
            metrics.propensity_miscalibration.labels(name).set(worst)

    def ended(self) -> None:
        """Another worker tells of the predictions from now on."""
        self._metrics.no_predictions()


def make_propensity(
    settings: Settings, plan: Plan, on_failure: Callable[[BaseException], None], metrics: Metrics
) -> Learner | None:
    """The trainers of the plan's predictions; None where it has none."""
    predictions = bootstrap.propensity_settings(settings, plan)
    if not predictions:
        return None
    where = learner_settings(settings, settings.topics.questions, settings.propensity.lead)
    pace, reports = bootstrap.propensity_pace(settings), PropensityReports(metrics)
    return PropensityService(where, predictions, pace, on_failure, share=settings.propensity.share, reports=reports)


def make_cuts_learner(
    settings: Settings, plan: Plan, on_failure: Callable[[BaseException], None], metrics: Metrics
) -> Learner | None:
    """The learner of the plan's cuts; None where no condition asks for any."""
    if not plan.cuts:
        return None
    where = learner_settings(settings, settings.topics.summaries, settings.cuts.lead)
    return CutsService(where, settings.app.partitions, on_failure)


class LifetimeReports:
    """What the trainer of lifetimes does, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def fitted(self, change: float | None, seconds: float) -> None:
        """Count a fit, and show what it found."""
        self._metrics.lifetime_fits.inc()
        self._metrics.lifetime_fit_seconds.inc(seconds)
        if change is not None:
            self._metrics.lifetime_change.set(change)

    def published(self, model: LifetimeModel) -> None:
        """Show a version."""
        self._metrics.lifetime_version.set(model.version)
        self._metrics.lifetime_customers.set(model.customers)
        self._metrics.lifetime_repeat_buyers.set(model.repeat_buyers)
        self._metrics.lifetime_correlation.set(model.correlation)

    def ended(self) -> None:
        """Another worker tells of lifetimes from now on."""
        self._metrics.no_lifetimes()


def make_lifetimes(
    settings: Settings, plan: Plan, on_failure: Callable[[BaseException], None], metrics: Metrics
) -> Learner | None:
    """The trainer of lifetimes; None where no definition goes by them."""
    if not asks_for_lifetimes(plan):
        return None
    return LifetimeService(
        learner_settings(settings, settings.topics.histories, settings.predict.lead),
        settings.app.partitions,
        on_failure,
        least_change=settings.predict.least_change,
        share=settings.predict.share,
        reports=LifetimeReports(metrics),
    )

"""Settings of what learns beside the shards: clusters, predictions, cuts by share, and the model of lifetimes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from stream.settings_kinds import Duration, Section

Candidate = Literal["kmeans", "kmeans-fast", "kmeans-slow", "streamkmeans", "clustream", "dbstream", "fresh"]


class Clusters(Section):
    """How the learned dimension learns. What it learns from is in its definition."""

    seed: int = Field(default=1, description="The same seed and the same vectors give the same clusters.")
    halflife: float = Field(
        default=0.01, gt=0, le=1, description="Share of the way a centroid moves towards each vector of its cluster."
    )
    warm_up: int = Field(default=1_000, ge=1, description="Vectors before the first clusters are published.")
    publish_every: int = Field(default=5_000, ge=1, description="Vectors from one published version to the next.")
    window: int = Field(
        default=40_000, ge=1, description="How many of the latest vectors count when candidates are compared."
    )
    candidates: tuple[Candidate, ...] = Field(
        default=("kmeans", "kmeans-slow", "fresh"),
        min_length=1,
        description="What learns side by side; fresh: placed anew on the latest vectors at each version.",
    )
    redraw_gain: float = Field(
        default=0.03, gt=0, lt=1, description="Clusters are drawn anew where a candidate is tighter by this share."
    )
    lead: Duration = Field(
        default=60_000, description="How far ahead (event time) a version takes effect, so that all shards know it."
    )
    share: float = Field(default=0.1, gt=0, le=1, description="Most of a core that learning may take.")
    most_vectors: int = Field(
        default=200_000,
        ge=1,
        description="Most vectors that are learned from a day of event time, all shards together.",
    )


class Propensity(Section):
    """How predictions are learned, where definitions have any. What they learn from is in their definitions."""

    every: Duration = Field(default=86_400_000, description="How often (event time) a version is published at most.")
    warm_up: int = Field(default=500, ge=10, description="Answers before there is a first draft.")
    publish_every: int = Field(default=500, ge=1, description="Answers from one version to the next at least.")
    window: int = Field(
        default=4_000, ge=100, description="How many of the latest answers a prediction is judged and calibrated by."
    )
    most_questions: int = Field(
        default=100_000,
        ge=1,
        description="Most customers that wait for their answer; where there are more, half of all are no longer asked.",
    )
    lead: Duration = Field(
        default=60_000, description="How far ahead (event time) a version takes effect, so that all shards know it."
    )
    share: float = Field(default=0.1, gt=0, le=1, description="Most of a core that learning may take.")


class Cuts(Section):
    """How cuts by share of the customers are learned, where definitions ask for any."""

    every: Duration = Field(default=86_400_000, description="How often (event time) cuts are taken anew.")
    lead: Duration = Field(
        default=60_000, description="How far ahead (event time) cuts take effect, so that all shards know them."
    )

    @model_validator(mode="after")
    def _not_all_the_time(self) -> Self:
        if self.every < 1_000:
            raise ValueError("every is too short: expected 1s or more")
        return self


class Predict(Section):
    """How the models are learned that predict: who still is a customer, and what they will be worth."""

    every: Duration = Field(default=86_400_000, description="How often (event time) they are fitted anew.")
    lead: Duration = Field(
        default=60_000, description="How far ahead (event time) a version takes effect, so that all shards know it."
    )
    least_change: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="A version comes where predictions change by this share; less would only make customers flap.",
    )
    share: float = Field(default=0.1, gt=0, le=1, description="Most of a core that fitting may take.")

    @model_validator(mode="after")
    def _not_all_the_time(self) -> Self:
        if self.every < 1_000:
            raise ValueError("every is too short: expected 1s or more")
        return self

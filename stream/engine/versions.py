"""What is published for every shard, beside the clusters: versions of the definitions, of the cuts by share, and of
models whose numbers features go by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

Version = TypeVar("Version", "DefinitionsVersion", "CutsVersion")


class DefinitionsVersion(msgspec.Struct, frozen=True, tag="definitions", tag_field="type"):
    """Definitions as published: every shard judges by them from one instant on.

    Unknown fields are ignored, so that a worker can read what a newer command wrote.

    Parameters
    ----------
    version
        1 for the first one published, one more for each later one.
    effective
        Event time in ms from which they are in force; greater in each later version.
    files
        The name of each definition file -> its text.
    note
        What whoever published them says about them.
    backfilled
        Whether new features are filled at the switch: shards wait there for rows that are rebuilt from the topics.
    """

    version: int
    effective: int
    files: dict[str, str]
    note: str = ""
    backfilled: bool = False

    @classmethod
    def from_json(cls, data: bytes) -> DefinitionsVersion:
        """Read one version; ValueError says in one sentence what is wrong with it."""
        found = _decoded(data, cls, "definitions version")
        if found.version < 1 or not found.files:
            raise ValueError("broken definitions version: 'version' must be at least 1, 'files' must not be empty")
        return found

    def to_json(self) -> bytes:
        """The version as one line of JSON."""
        return msgspec.json.encode(self)


class CutsVersion(msgspec.Struct, frozen=True, tag="cuts", tag_field="type"):
    """Cuts by share as learned from all customers at one instant; every shard compares with them from one instant on.

    Parameters
    ----------
    version
        1 for the first one published, one more for each later one.
    effective
        Event time in ms from which they are in force; greater in each later version.
    cuts
        (measure, share, value): at least this share of the customers have a measure of at most this value.  A measure
        is named as the plan names it (:attr:`stream.plan.plan.Plan.measures`).
    customers
        Measure -> how many customers the cuts were taken over.
    """

    version: int
    effective: int
    cuts: list[tuple[str, float, float]]
    customers: dict[str, int] = {}

    @classmethod
    def from_json(cls, data: bytes) -> CutsVersion:
        """Read one version; ValueError says in one sentence what is wrong with it."""
        found = _decoded(data, cls, "cuts version")
        if found.version < 1:
            raise ValueError("broken cuts version: 'version' must be at least 1")
        return found

    def to_json(self) -> bytes:
        """The version as one line of JSON."""
        return msgspec.json.encode(self)


class PredictionVersion(msgspec.Struct, frozen=True, dict=True):
    """A version of a model that says something of each customer by numbers learned from all: every shard's features go
    by them from one instant on.

    Parameters
    ----------
    version
        1 for the first one published, one more for each later one of its kind.
    effective
        Event time in ms from which it is in force; greater in each later version.
    """

    version: int
    effective: int

    @property
    def kind(self) -> str:
        """Which model it is a version of, as :class:`stream.features.base.ModelNumbers` names it."""
        raise NotImplementedError

    @property
    def of(self) -> str:
        """What it was learned from, where features must go by the same; empty: that does not matter."""
        return ""

    def numbers(self, names: Sequence[str]) -> Sequence[float] | None:
        """Its numbers by these names; None where it does not have all of them, and no feature can go by it."""
        raise NotImplementedError

    def to_json(self) -> bytes:
        """The version as one line of JSON."""
        return msgspec.json.encode(self)


def _decoded(data: bytes, kind: type[Version], what: str) -> Version:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"broken {what}: {error}") from error

"""Reads what was published on the control topic: versions of definitions, of cuts by share, of clusters and of models
that predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from stream.cluster.model import ClusterModel, ClusterName
from stream.engine.versions import CutsVersion, DefinitionsVersion, PredictionVersion
from stream.events.instant import EARLIEST_MS, LATEST_MS
from stream.features.predicted import LIFETIME
from stream.kafka.restore import read_changelog
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.propensity import PropensityModel

#: Whatever changes how every shard judges from an instant on.
Version: TypeAlias = ClusterModel | CutsVersion | DefinitionsVersion | LifetimeModel | PropensityModel

#: The `type` of a control record -> what it is read as.
KINDS: Mapping[str, type[Version]] = {
    "model": ClusterModel,
    "cuts": CutsVersion,
    "definitions": DefinitionsVersion,
    LIFETIME: LifetimeModel,
    "propensity": PropensityModel,
}
#: The greatest number of a version.
MOST_VERSIONS = 1 << 53
#: The `type` of a control record that tells how late it is.
CLOCK = "clock"
#: The `type` of a control record that asks the trainer to call a cluster by another name.
NAMING = "cluster-name"


class _Kind(msgspec.Struct):
    type: str


def kind_of(data: bytes) -> str:
    """The type of a control record; ValueError where it has none."""
    try:
        return msgspec.json.decode(data, type=_Kind).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"a control record must be a JSON object with a 'type': {error}") from error


def read_version(data: bytes) -> Version | None:
    """The version that a control record carries, None for a clock record and for a request to name a cluster.

    ValueError says what is wrong with it.
    """
    kind = kind_of(data)
    if kind == CLOCK:
        return None
    if kind == NAMING:
        ClusterName.from_json(data)
        return None
    if kind not in KINDS:
        known = ", ".join(sorted((*KINDS, CLOCK, NAMING)))
        raise ValueError(f"{kind[:40]!r} is not a type of control record: known are {known}")
    version = KINDS[kind].from_json(data)
    if version.version > MOST_VERSIONS or not EARLIEST_MS <= version.effective <= LATEST_MS:
        raise ValueError(f"broken {kind} version: its number or the instant it takes effect is out of all bounds")
    return version


def read_model(data: bytes) -> ClusterModel | LifetimeModel | PropensityModel:
    """The clusters, or the model that predicts, in a record of a shard's changelog; ValueError where it has neither."""
    version = read_version(data)
    if not isinstance(version, ClusterModel | LifetimeModel | PropensityModel):
        raise ValueError("neither clusters nor a model that predicts")
    return version


def chain_of(version: Version) -> str:
    """What a version is the successor of others in: the definitions, the cuts, a dimension's clusters, or a model."""
    if isinstance(version, ClusterModel):
        return version.dimension
    if isinstance(version, PredictionVersion):
        return f"the model {version.kind}"
    return "the definitions" if isinstance(version, DefinitionsVersion) else "the cuts"


@dataclass
class Published:
    """What a control topic holds of versions.

    Parameters
    ----------
    versions
        In the order of the topic.
    broken
        One sentence for each record that claims to be a version and is none, or is no JSON at all.
    namings
        Requests to name a cluster that there was in the newest version before them, in the order of the topic.
    refused
        Those to name one that there was not: they count for nothing, also where its id exists later.
    ids
        Dimension -> the clusters of its newest version so far.
    end
        The offset after the last record read.
    """

    versions: list[Version] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    namings: list[ClusterName] = field(default_factory=list)
    refused: list[ClusterName] = field(default_factory=list)
    ids: dict[str, tuple[int, ...]] = field(default_factory=dict)
    end: int = 0

    def newest(self, dimension: str) -> ClusterModel | None:
        """The highest version of a dimension's clusters, or None."""
        models = (v for v in self.versions if isinstance(v, ClusterModel) and v.dimension == dimension)
        return max(models, key=lambda model: model.version, default=None)

    @property
    def lifetime(self) -> LifetimeModel | None:
        """The highest version of the model of lifetimes, or None."""
        found = (v for v in self.versions if isinstance(v, LifetimeModel))
        return max(found, key=lambda model: model.version, default=None)

    def propensity(self, kind: str) -> PropensityModel | None:
        """The highest version of a prediction, or None."""
        found = (v for v in self.versions if isinstance(v, PropensityModel) and v.kind == kind)
        return max(found, key=lambda model: model.version, default=None)

    @property
    def cuts(self) -> CutsVersion | None:
        """The highest version of the cuts, or None."""
        return max(
            (v for v in self.versions if isinstance(v, CutsVersion)), key=lambda cuts: cuts.version, default=None
        )

    @property
    def definitions(self) -> list[DefinitionsVersion]:
        """The versions of the definitions, rising as shards take them: a number that does not rise is passed over."""
        found: list[DefinitionsVersion] = []
        for version in self.versions:
            if isinstance(version, DefinitionsVersion) and (not found or version.version > found[-1].version):
                found.append(version)
        return found

    def add(self, place: str, value: bytes | None) -> None:
        """Take one record; clocks are not for us."""
        try:
            if kind_of(value or b"") == NAMING:
                request = ClusterName.from_json(value or b"")
                there = request.id in self.ids.get(request.dimension, ())
                (self.namings if there else self.refused).append(request)
                return
            version = read_version(value or b"")
        except ValueError as error:
            self.broken.append(f"{place}: {error}")
        else:
            if version is not None:
                self.versions.append(version)
            if isinstance(version, ClusterModel):
                self.ids[version.dimension] = version.numbers


async def read_published(options: Mapping[str, Any], topic: str) -> Published:
    """All versions on the control topic (one partition) that are committed now; ``options`` are aiokafka's."""
    published = Published()

    def take(records: Sequence[Any]) -> None:
        for record in records:
            published.add(f"{topic}[0]@{record.offset}", record.value)
            published.end = record.offset + 1

    await read_changelog(options, topic, 0, None, take)
    return published

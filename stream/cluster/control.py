"""Reads the model versions that were published on the control topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stream.cluster.model import ClusterModel
from stream.kafka.restore import read_changelog


class _Kind(msgspec.Struct):
    type: str


@dataclass
class Published:
    """What a control topic holds of models.

    Parameters
    ----------
    models
        In the order of the topic.
    broken
        One sentence for each record that claims to be a model and is none, or is no JSON at all.
    """

    models: list[ClusterModel] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def newest(self, dimension: str) -> ClusterModel | None:
        """The highest version of a dimension, or None."""
        of_dimension = (model for model in self.models if model.dimension == dimension)
        return max(of_dimension, key=lambda model: model.version, default=None)

    def add(self, place: str, value: bytes | None) -> None:
        """Take one record; those of another type (clocks, definitions) are not for us."""
        try:
            if msgspec.json.decode(value or b"", type=_Kind).type == "model":
                self.models.append(ClusterModel.from_json(value or b""))
        except (msgspec.DecodeError, ValueError) as error:
            self.broken.append(f"{place}: {error}")


async def read_models(options: Mapping[str, Any], topic: str) -> Published:
    """All models on the control topic (one partition) that are committed now; ``options`` are aiokafka's."""
    published = Published()

    def take(records: Sequence[Any]) -> None:
        for record in records:
            published.add(f"{topic}[0]@{record.offset}", record.value)

    await read_changelog(options, topic, 0, None, take)
    return published

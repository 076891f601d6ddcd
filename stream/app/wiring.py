"""What the shards of one application are connected to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.app.ports import Decoder, MakeShard, MakeSummary, Shard
from stream.kafka import framing, unframing


@dataclass(frozen=True)
class Rule:
    """Which segment changes reach one output topic. ``max_age_ms`` None: of any age."""

    max_age_ms: int | None
    causes: frozenset[str]


def everything(topic: str) -> Rule:
    """The rule that keeps nothing back."""
    return Rule(None, frozenset({"event", "deadline", "definition", "model"}))


def no_vectors(
    shard: Shard | None, instant_ms: int, vector: NDArray[np.float64]
) -> tuple[bytes, list[tuple[str, bytes]]]:
    """For shards that sample no vectors."""
    raise NotImplementedError("this app samples no vectors")


@dataclass(frozen=True)
class Wiring:
    """Names, limits and makers; all that is decided before the worker starts.

    ``group_topics`` are shared out by the consumer group, partition by partition with the ``changelog``;
    ``broadcast_topics`` are read whole by every worker. Times are in seconds unless the name says otherwise.
    """

    app_id: str
    partitions: int
    group_topics: tuple[str, ...]
    broadcast_topics: tuple[str, ...]
    changelog: str
    changes: str
    customers: str
    dead_letters: str
    vectors: str
    rekeyed: str
    make_shard: MakeShard
    decoder: Decoder
    client_options: Mapping[str, Any]
    #: receipts of customers who were forgotten
    forgotten: str = ""
    #: put before the names of topics that changes name
    output_prefix: str = ""
    consumer_options: Mapping[str, Any] = field(default_factory=dict)
    producer_options: Mapping[str, Any] = field(default_factory=dict)
    rule_of: Callable[[str], Rule] = everything
    #: value and headers of a record with a feature vector, from its shard, its instant in ms and the vector
    encode_vector: Callable[[Shard | None, int, NDArray[np.float64]], tuple[bytes, list[tuple[str, bytes]]]] = (
        no_vectors
    )
    #: what decodes for a shard as it is now, where that is not the same decoder for all
    decoder_of: Callable[[Shard], Decoder] | None = None
    #: topic of the questions that predictions are learned from
    questions: str = ""
    #: makes what says, for one shard, when it tells of its customers
    make_summary: MakeSummary | None = None
    #: whether a topic read to its end counts as the wall clock; otherwise time is what events say
    wall_clock: bool = True
    #: how far the clocks of the shards stay behind what they know (ms)
    disorder_ms: int = 0
    #: most events in one transaction
    max_records: int = 4_000
    #: a source partition is not read further while more than this many of its records wait in the shard
    max_waiting: int = 20_000
    #: nor while they are of more than this many bytes
    max_waiting_bytes: int = 64 << 20
    #: least time between two commits of one shard
    commit_every: float = 0.025
    #: most commits a second of all shards together
    commits_per_second: float = 600.0
    transaction_timeout: float = 10.0
    #: what writes many records for Kafka at once; compiled in a worker
    frame: Callable[..., tuple[int, int]] = framing.frame
    #: what finds the records in what Kafka answers; compiled in a worker
    unframe: Callable[..., int] = unframing.unframe
    #: a customer with more than this share of the events of a shard is told
    hot_share: float = 0.2
    #: shards that read their rows back at the same time
    openings: int = 4

    @property
    def copartitioned(self) -> tuple[str, ...]:
        """Topics whose partition numbers must match, so that one worker owns a customer with all their events."""
        return (*self.group_topics, self.changelog)

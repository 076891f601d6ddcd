"""What whoever listens to changes is told: what fits, no more than they can take, and from where they were."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import orjson
import pytest
from aiokafka import TopicPartition

from stream.web.feed import FeedQuery, Listener, check, resumed
from stream.web.refusal import RefusalError


@dataclass(frozen=True)
class Record:
    """A change as it lies in Kafka."""

    offset: int
    customer: str = "ann"
    dimension: str = "life"
    left: str | None = "active"
    entered: str = "at-risk"
    cause: str = "deadline"

    @property
    def key(self) -> bytes:
        """The customer."""
        return self.customer.encode()

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """The attributes of a CloudEvent."""
        time = b"2026-01-01T00:00:00.000Z"
        return [("ce_id", b"%d" % self.offset), ("ce_time", time), ("ce_cause", self.cause.encode())]

    @property
    def value(self) -> bytes:
        """The data."""
        moved = {"dimension": self.dimension, "from": self.left, "to": self.entered, "cause": self.cause}
        return orjson.dumps({**moved, "evidence": {}, "sequence": 1, "definition": "d@1"})


RECORDS = [
    Record(0),
    Record(1, customer="bo"),
    Record(2, dimension="cart", left=None, entered="open", cause="event"),
    Record(3, left="at-risk", entered="active", cause="event"),
]


def told(query: FeedQuery, records: list[Record]) -> tuple[list[str], int]:
    """The ids of the changes that are told, and how many are left out."""
    listener = Listener(query, cast(Any, None), {})
    out: list[bytes] = []
    for record in records:
        listener.tell(record, out)
    data = [block.split(b"\ndata: ")[1] for block in out]
    return [msgspec.json.decode(one)["id"] for one in data], listener.skipped


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"customer": "ann"}, [0, 2, 3]),
        ({"dimension": "life"}, [0, 1, 3]),
        ({"segment": "at-risk"}, [0, 1, 3]),
        ({"cause": "event"}, [2, 3]),
        ({"cause": "event", "segment": "active"}, [3]),
        ({"customer": "nobody"}, []),
    ],
    ids=str,
)
def test_only_what_was_asked_for_is_told(query: dict[str, Any], expected: list[int]) -> None:
    """By customer, dimension, cause, and by the segment left or entered; all that is asked must hold."""
    assert told(FeedQuery(**query), RECORDS) == ([str(n) for n in expected], 0)


@pytest.mark.parametrize("query", [{}, {"cause": "event"}, {"dimension": "life"}, {"customer": "bo"}], ids=str)
def test_what_is_too_much_is_counted(query: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one second; of what fits, all that is not told is counted, however it was chosen."""
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    whole, none = told(FeedQuery(**query), RECORDS * 3)
    some, left_out = told(FeedQuery(**query, per_second=2), RECORDS * 3)
    assert (none, some, left_out) == (0, whole[:2], len(whole) - 2)


DEFINITIONS = cast(
    Any,
    SimpleNamespace(
        dimensions=[
            SimpleNamespace(name="life", segment_names=("active", "at-risk"), learning=None),
            SimpleNamespace(name="cluster", segment_names=(), learning="by k-means"),
        ]
    ),
)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"dimension": "lief"}, "dimension: there is no 'lief': there are cluster, life"),
        ({"dimension": "life", "segment": "actve"}, "segment: there is no 'actve': there are active, at-risk"),
        ({"dimension": "life", "segment": "cluster-1"}, "segment: there is no 'cluster-1': there are active, at-risk"),
        ({"dimension": "cluster", "segment": "active"}, "segment: there is no 'active': there are cluster-<id>"),
        ({"segment": "x"}, "segment: there is no 'x': there are active, at-risk, cluster-<id>"),
    ],
    ids=str,
)
def test_what_there_is_not_is_refused(query: dict[str, Any], said: str) -> None:
    """Whoever listens to a name that is spelt wrongly would wait for ever; the refusal says what there is."""
    with pytest.raises(RefusalError) as refused:
        check(FeedQuery(**query), DEFINITIONS)
    assert (refused.value.status, refused.value.sentence) == (400, said)


@pytest.mark.parametrize(
    "query",
    [{}, {"dimension": "life", "segment": "active"}, {"segment": "at-risk"}, {"segment": "cluster-7"}],
    ids=str,
)
def test_what_there_is_can_be_listened_to(query: dict[str, Any]) -> None:
    """Also former clusters, and a segment of any dimension."""
    check(FeedQuery(**query), DEFINITIONS)


def test_one_goes_on_where_one_was() -> None:
    """A partition that is not named is read from its beginning; where records are gone, or not there yet, that is
    said."""
    beginnings = {TopicPartition("t", 0): 5, TopicPartition("t", 1): 0, TopicPartition("t", 2): 3}
    ends = dict.fromkeys(beginnings, 7)
    assert resumed("0-7.1-0", beginnings, ends) == {0: 7, 1: 0, 2: 3}
    with pytest.raises(RefusalError, match="no longer has all") as gone:
        resumed("0-4.1-0", beginnings, ends)
    with pytest.raises(RefusalError, match="made anew") as ahead:
        resumed("0-7.1-8", beginnings, ends)
    with pytest.raises(RefusalError, match="partitions that there are not") as unknown:
        resumed("0-7.9-0", beginnings, ends)
    assert (gone.value.status, ahead.value.status, unknown.value.status) == (410, 410, 400)

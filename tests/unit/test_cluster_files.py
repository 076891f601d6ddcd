"""The formats around the trainer: vectors on their topic, models on the control topic, versions in a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.app.bootstrap import read_control
from stream.cluster.model import ClusterModel, ClusterName
from stream.cluster.wire import decode, encode_headers, encode_value, layout_of
from stream.errors import UserError
from stream.features.base import NEVER
from stream.learners.control import Published, read_version
from stream.learners.versions import read_versions, write_versions

FEATURES = ("recency", "orders")
LAYOUT = layout_of(FEATURES)


@dataclass
class Record:
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def model(version: int, effective: int, dimension: str = "cluster") -> ClusterModel:
    return ClusterModel(
        dimension=dimension,
        version=version,
        effective=effective,
        features=FEATURES,
        mean=(0.1, 2.0),
        scale=(1.0, 0.0),
        centroids=((0.0, 0.25),),
        names=("cluster-0",),
        learned=5,
        cursor={0: 5},
    )


@given(st.lists(st.floats(), min_size=2, max_size=2), st.integers(-(2**63), 2**63 - 1))
def test_a_vector_arrives_as_it_was_sent(values: list[float], instant: int) -> None:
    record = Record(encode_value(np.array(values)), encode_headers(instant, LAYOUT))
    decoded = decode(record, FEATURES, LAYOUT)
    assert decoded is not None
    assert decoded[0] == instant
    np.testing.assert_array_equal(decoded[1], values)


def test_bytes_are_those_of_the_contract() -> None:
    """Little-endian float64 values, and the instant as 8 big-endian bytes."""
    assert encode_value(np.array([1.0, -2.0])) == bytes.fromhex("000000000000f03f00000000000000c0")
    assert dict(encode_headers(258, LAYOUT))["instant"] == b"\0\0\0\0\0\0\1\2"


def test_vectors_of_other_features_of_the_same_number_are_told_apart() -> None:
    record = Record(encode_value(np.zeros(2)), encode_headers(1, layout_of(("recency", "spend"))))
    assert decode(record, FEATURES, LAYOUT) is None


@pytest.mark.parametrize(
    "record",
    [
        Record(None, encode_headers(1, LAYOUT)),
        Record(b"", encode_headers(1, LAYOUT)),
        Record(b"\0" * 15, encode_headers(1, LAYOUT)),
        Record(b"\0" * 24, encode_headers(1, LAYOUT)),
        Record(b"\0" * 16),
        Record(b"\0" * 16, [("instant", b"12")]),
    ],
)
def test_what_is_no_vector_is_none(record: Record) -> None:
    assert decode(record, FEATURES, LAYOUT) is None


def test_the_newest_model_is_the_highest_version_of_its_dimension() -> None:
    published = Published()
    for each in (model(1, 10), model(3, 30), model(2, 20), model(9, 90, "other")):
        published.add("control[0]@1", each.to_json())
    newest = published.newest("cluster")
    assert newest is not None
    assert newest.version == 3
    assert published.newest("no such") is None


def test_other_records_of_the_control_topic_are_passed_over_and_broken_ones_told() -> None:
    published = Published()
    published.add("control[0]@1", b'{"type":"clock","timestamp":"2026-01-31T09:15:02Z"}')
    published.add("control[0]@2", b'{"type":"model","version":1}')
    published.add("control[0]@3", None)
    assert published.versions == []
    assert [sentence.split(":")[0] for sentence in published.broken] == ["control[0]@2", "control[0]@3"]


def test_a_request_to_name_a_cluster_is_no_version_and_not_broken() -> None:
    request = ClusterName("cluster", 3, "early birds")
    published = Published(ids={"cluster": (3,)})
    published.add("control[0]@1", request.to_json())
    published.add("control[0]@2", b'{"type":"cluster-name","dimension":"cluster","id":-3,"name":"x"}')
    assert (published.versions, published.namings) == ([], [request])
    assert [sentence.split(":")[0] for sentence in published.broken] == ["control[0]@2"]
    assert read_version(request.to_json()) is None


def test_a_request_counts_only_if_its_cluster_was_there_when_it_came() -> None:
    """The trainer that hears it and one that is started later decide by the same: the order of the topic."""
    early, later = ClusterName("cluster", 1, "too early"), ClusterName("cluster", 1, "early birds")
    published = Published()
    for each in (early, model(1, 10), early, ClusterName("other", 0, "elsewhere")):
        published.add("control[0]@1", each.to_json())
    published.add("control[0]@5", msgspec.structs.replace(model(2, 20), ids=(1,)).to_json())
    published.add("control[0]@6", later.to_json())
    assert published.namings == [later]
    assert published.refused == [early, early, ClusterName("other", 0, "elsewhere")]


def test_a_file_brings_back_the_versions_written(tmp_path: Path) -> None:
    file = tmp_path / "versions.jsonl"
    models = [model(1, 10), model(1, 5, "other"), model(2, 20)]
    write_versions(file, models)
    assert read_versions(file) == models


def test_mistakes_in_a_file_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "versions.jsonl"
    file.write_bytes(model(1, 10).to_json() + b'\n\n{"type":"model"}\n')
    with pytest.raises(UserError, match=r"versions\.jsonl:3: broken cluster model"):
        read_versions(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_versions(tmp_path / "absent")


@pytest.mark.parametrize("second", [model(1, 20), model(2, 10)])
def test_versions_of_a_file_must_rise(tmp_path: Path, second: ClusterModel) -> None:
    file = tmp_path / "versions.jsonl"
    write_versions(file, [model(1, 10), msgspec.structs.replace(second)])
    with pytest.raises(UserError, match=r":2: version \d of cluster does not come after version 1"):
        read_versions(file)


def test_shards_pass_over_a_request_to_name_a_cluster() -> None:
    assert read_control(ClusterName("cluster", 3, "early birds").to_json()) == (NEVER, None)

"""Laws of assignment, and what makes a snapshot a broken one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from stream.cluster.model import ClusterModel, ClusterName

Matrix = NDArray[np.float64]


def make(centroids: list[list[float]], mean: list[float], scale: list[float], **other: Any) -> ClusterModel:
    fields: dict[str, Any] = {
        "dimension": "cluster",
        "version": 3,
        "effective": 1_700_000_000_000,
        "features": tuple(f"f{i}" for i in range(len(mean))),
        "mean": tuple(mean),
        "scale": tuple(scale),
        "centroids": tuple(tuple(row) for row in centroids),
        "names": tuple(f"cluster-{i}" for i in range(len(centroids))),
        "learned": 10,
        "cursor": {0: 12},
    }
    return ClusterModel(**(fields | other))


def brute_force(model: ClusterModel, vector: list[float]) -> int:
    """The definition, one number at a time; exact for whole numbers, so that ties are ties."""
    best, nearest = float("inf"), -1
    for number, centroid in enumerate(model.centroids):
        distance = 0.0
        for value, mean, scale, center in zip(vector, model.mean, model.scale, centroid, strict=True):
            scaled = (value - mean) / (scale or 1.0) if np.isfinite(value) else 0.0
            distance += (scaled - center) ** 2
        if distance < best:
            best, nearest = distance, number
    return nearest


whole = st.integers(-4, 4).map(float)


@st.composite
def models_and_vectors(draw: st.DrawFn) -> tuple[ClusterModel, Matrix]:
    width = draw(st.integers(1, 4))
    row = st.lists(whole, min_size=width, max_size=width)
    model = make(
        draw(st.lists(row, min_size=1, max_size=5)),
        draw(row),
        draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=width, max_size=width)),
    )
    value = st.one_of(whole, st.sampled_from([float("nan"), float("inf"), float("-inf")]))
    rows = draw(st.lists(st.lists(value, min_size=width, max_size=width), max_size=8))
    return model, np.array(rows, np.float64).reshape(-1, width)


@given(models_and_vectors())
def test_assignment_is_the_nearest_centroid_and_ties_go_to_the_lowest(case: tuple[ClusterModel, Matrix]) -> None:
    model, vectors = case
    assert model.assign(vectors).tolist() == [brute_force(model, row) for row in vectors.tolist()]


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(0, 40), st.just(3)), elements=st.floats(-1e6, 1e6)),
    st.integers(0, 40),
)
def test_a_row_is_assigned_alike_in_every_batch(vectors: Matrix, cut: int) -> None:
    model = make([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [-1.0, 2.0, 0.7]], [0.1, 3.0, 7.7], [0.3, 1e5, 13.0])
    parts = [model.assign(vectors[:cut]), model.assign(vectors[cut:])]
    assert np.concatenate(parts).tolist() == model.assign(vectors).tolist()
    assert [int(model.assign(row[np.newaxis])[0]) for row in vectors] == model.assign(vectors).tolist()


@given(hnp.arrays(np.float64, (5, 2)))
def test_any_numbers_at_all_get_a_cluster(vectors: Matrix) -> None:
    model = make([[-1e100, 0.0], [1e100, 1.0]], [1e100, 0.0], [1e-300, 0.0])
    assert set(model.assign(vectors).tolist()) <= {0, 1}


def test_a_missing_value_counts_as_the_mean() -> None:
    model = make([[0.0], [-10.0]], [100.0], [10.0])
    assert model.assign(np.array([[np.nan], [100.0], [0.0]])).tolist() == [0, 0, 1]


def test_vectors_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(n, 1\)"):
        make([[0.0]], [0.0], [1.0]).assign(np.zeros((4, 2)))


@given(models_and_vectors())
def test_json_brings_back_the_same_model(case: tuple[ClusterModel, Matrix]) -> None:
    model = msgspec.structs.replace(case[0], trainer=msgspec.Raw(b'{"any":[1,2.5]}'))
    again = ClusterModel.from_json(model.to_json())
    assert again == model
    assert again.to_json() == model.to_json()


def test_json_has_the_agreed_fields() -> None:
    record = json.loads(make([[0.0]], [1.5], [2.0]).to_json())
    assert record["type"] == "model"
    assert record["cursor"] == {"0": 12}
    assert set(record) >= {"dimension", "version", "effective", "features", "mean", "scale", "centroids", "names"}


def test_fields_of_a_newer_trainer_are_ignored() -> None:
    record = json.loads(make([[0.0]], [1.5], [2.0]).to_json()) | {"drift": {"f0": 0.1}}
    assert ClusterModel.from_json(json.dumps(record).encode()).version == 3


def test_a_record_of_an_older_trainer_has_the_row_numbers_for_ids_and_places() -> None:
    record = json.loads(make([[0.0], [1.0]], [1.5], [2.0]).to_json())
    for field in ("ids", "slots", "given", "story", "profiles", "scores", "why", "drifted"):
        del record[field]
    model = ClusterModel.from_json(json.dumps(record).encode())
    assert (model.numbers, model.places, model.segments) == ((0, 1), (0, 1), ("cluster-0", "cluster-1"))


def test_ids_and_places_are_those_of_the_record() -> None:
    model = make([[0.0], [1.0]], [1.5], [2.0], ids=(7, 3), slots=(2, 0))
    model = ClusterModel.from_json(model.to_json())
    assert (model.numbers, model.places, model.segments) == ((7, 3), (2, 0), ("cluster-7", "cluster-3"))


@pytest.mark.parametrize("name", ["none", " a", "a\nb", "x" * 101])
def test_a_name_that_no_segment_could_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="`name` must be"):
        ClusterName("cluster", 1, name)
    with pytest.raises(ValueError, match=r"^broken request to name a cluster: .*`name` must be"):
        ClusterName.from_json(json.dumps({"type": "cluster-name", "dimension": "d", "id": 1, "name": name}).encode())


def test_a_request_comes_back_as_written() -> None:
    request = ClusterName("cluster", 12, "Sonntagsbäcker")
    assert ClusterName.from_json(request.to_json()) == request


BROKEN: dict[str, dict[str, Any]] = {
    "another type": {"type": "clock"},
    "no centroid": {"centroids": [], "names": []},
    "no feature": {"features": [], "mean": [], "scale": [], "centroids": [[]]},
    "one feature twice": {"features": ["f0", "f0"]},
    "a short mean": {"mean": [0.0]},
    "a long scale": {"scale": [1.0, 1.0, 1.0]},
    "a ragged centroid": {"centroids": [[0.0, 0.0], [1.0]]},
    "a negative scale": {"scale": [1.0, -1.0]},
    "a number too large": {"mean": [0.0, 1e200]},
    "text for a number": {"mean": [0.0, "1"]},
    "null for a number": {"mean": [0.0, None]},
    "names too few": {"names": ["a"]},
    "one name twice": {"names": ["a", "a"]},
    "a cluster called none": {"names": ["a", "none"]},
    "one id twice": {"ids": [4, 4]},
    "ids too few": {"ids": [4]},
    "a negative id": {"ids": [4, -1]},
    "one place twice": {"slots": [1, 1]},
    "places too many": {"slots": [0, 1, 2]},
    "profiles too few": {"profiles": [{"share": 1.0, "homogeneity": 0.5}]},
    "version 0": {"version": 0},
    "a negative offset": {"cursor": {"0": -1}},
    "a nameless dimension": {"dimension": ""},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_snapshot_is_refused_in_one_sentence(change: dict[str, Any]) -> None:
    record = json.loads(make([[0.0, 0.0], [1.0, 1.0]], [0.0, 0.0], [1.0, 1.0]).to_json()) | change
    with pytest.raises(ValueError, match=r"^broken cluster model: .+") as caught:
        ClusterModel.from_json(json.dumps(record).encode())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"type":"model"}', b'{"mean":[NaN]}'])
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="broken cluster model"):
        ClusterModel.from_json(data)


def test_a_model_cannot_be_made_with_numbers_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        make([[float("nan")]], [0.0], [1.0])

"""What `segstream clusters` says of learned clusters, and which names it lets people ask for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from stream.cli import clusters
from stream.cli.view.clusters import as_json, draw_clusters, draw_history, eventful, history_as_json, told
from stream.cluster.model import ClusterModel, ClusterName, Happening, Profile, Trait
from stream.errors import UserError
from stream.learners import naming
from stream.learners.naming import grants


def model(version: int, names: dict[int, str], dimension: str = "cluster", **more: Any) -> ClusterModel:
    return ClusterModel(
        dimension=dimension,
        version=version,
        effective=1_700_000_000_000 + version,
        features=("recency", "orders"),
        mean=(0.0, 0.0),
        scale=(1.0, 1.0),
        centroids=tuple((float(number), 0.0) for number in names),
        names=tuple(names.values()),
        learned=1_000 * version,
        cursor={0: 1_000 * version},
        ids=tuple(names),
        slots=tuple(range(len(names))),
        **more,
    )


APART = Profile(0.25, 0.6, born=2, traits=(Trait("orders", 1.44, "frequent"),), warning="too small to be of use")
FIRST = model(1, {4: "new here", 0: "seldom"})
SECOND = model(
    2,
    {4: "new here", 7: "frequent"},
    story=(Happening("split", 7, (4,)), Happening("merged", 0, (4,))),
    drifted=("orders",),
    profiles=(Profile(0.75, 0.5), APART),
    why="two, for three are no tighter",
)
THIRD = model(3, {4: "new here", 7: "frequent"})
FOURTH = model(4, {4: "new here", 7: "my favourites"}, given=(7,))
ALL = [FIRST, SECOND, THIRD, FOURTH]


def printed(what: Any) -> str:
    console = Console(width=160, record=True)
    console.print(what)
    return console.export_text()


def test_each_cluster_has_a_line_with_its_size_and_what_sets_it_apart() -> None:
    """In the order of ids; the share of the sample stands in where no worker tells sizes."""
    text = printed(draw_clusters(SECOND, {"cluster-7": 1_234}))
    line = next(line for line in text.splitlines() if "frequent" in line)
    assert line.split() == ["7", "frequent", "1,234", "60%", "orders", "+1.4", "2"]
    assert text.index("new here") < text.index("frequent")
    assert "cluster-7: too small to be of use" in text
    assert "two, for three are no tighter" in text
    assert "25.0%" in printed(draw_clusters(SECOND, None))
    assert as_json(SECOND, None)["clusters"][1] == {
        "id": 7,
        "segment": "cluster-7",
        "name": "frequent",
        "renamed": False,
        "size": None,
        "share": 0.25,
        "homogeneity": 0.6,
        "silhouette": 0.0,
        "born": 2,
        "apart": [{"feature": "orders", "deviations": 1.44, "words": "frequent"}],
        "warning": "too small to be of use",
    }


def test_versions_of_a_trainer_that_measured_nothing_are_shown_too() -> None:
    """Versions of earlier releases have no ids and no profiles."""
    old = model(1, {0: "cluster-0", 1: "cluster-1"})
    assert "cluster-1" in printed(draw_clusters(old, None))
    assert as_json(old, {"cluster-1": 5})["clusters"][0]["size"] == 0


def test_the_history_tells_who_came_and_went_by_name() -> None:
    """Also of what is gone by then: its last name is known."""
    assert told(SECOND, FIRST) == [
        "the world had changed: orders drifted",
        "cluster-7 'frequent' split off cluster-4",
        "cluster-0 'seldom' went into cluster-4",
    ]
    assert told(FOURTH, THIRD) == ["cluster-7 is called 'my favourites' now"]
    assert told(FIRST, None) == ["cluster-0 'seldom'", "cluster-4 'new here'"]


def test_versions_in_which_nothing_happened_are_left_out() -> None:
    assert eventful(ALL) == [FIRST, SECOND, FOURTH]
    text = printed(draw_history(ALL, eventful(ALL)))
    assert "split off" in text
    assert [line.split()[0] for line in text.splitlines() if line.strip()[:1].isdigit()] == ["1", "2", "4"]
    assert [one["version"] for one in history_as_json(eventful(ALL))] == [1, 2, 4]


def test_versions_are_those_of_one_dimension_in_order() -> None:
    other = model(1, {0: "x"}, dimension="other")
    assert clusters.models_of([FOURTH, FIRST], None) == [FIRST, FOURTH]
    assert clusters.models_of([FIRST, other], "other") == [other]
    for versions, dimension, said in (
        ([], None, "no clusters have been learned yet"),
        ([FIRST, other], None, "--dimension"),
        ([FIRST], "lifecycle", "'lifecycle'"),
    ):
        with pytest.raises(UserError, match=said):
            clusters.models_of(versions, dimension)


def test_a_name_is_asked_for_by_number_or_by_segment() -> None:
    request = ClusterName("cluster", 7, "night owls")
    assert clusters.requested(SECOND, "7", "night owls") == request
    assert clusters.requested(SECOND, "cluster-7", "night owls") == request
    assert clusters.requested(SECOND, "7", "frequent").name == "frequent", "to keep the name that it has"


@pytest.mark.parametrize(
    ("cluster", "name", "said"),
    [
        ("seven", "x", "no cluster's id"),
        ("-7", "x", "no cluster's id"),
        ("0", "x", "has no cluster 0; it has 4, 7"),
        ("7", "new here", "cluster-4 is called 'new here' already"),
        ("7", "none", "cannot be a cluster's name"),
        ("7", "two\nlines", "cannot be a cluster's name"),
        ("7", "x" * 101, "cannot be a cluster's name"),
    ],
)
def test_a_name_that_could_not_be_granted_is_refused(cluster: str, name: str, said: str) -> None:
    """Before anything is written: nobody would ever answer."""
    with pytest.raises(UserError, match=said):
        clusters.requested(SECOND, cluster, name)


def test_a_request_is_granted_by_a_version_that_has_the_name_from_a_person() -> None:
    """Without a name: by one that has the trainer's own again."""
    asked, back = ClusterName("cluster", 7, "my favourites"), ClusterName("cluster", 7, "")
    assert [grants(one, asked) for one in ALL] == [False, False, False, True]
    assert [grants(one, back) for one in (THIRD, FOURTH)] == [True, False]
    assert not grants(model(9, {7: "my favourites"}, dimension="other", given=(7,)), asked)


def test_sizes_are_those_of_the_dimension() -> None:
    answer = {
        "dimensions": [{"dimension": "cluster", "segments": [{"segment": "cluster-7", "size": 3}]}],
        "missing": [],
    }
    assert clusters.sizes_in(answer, "cluster") == {"cluster-7": 3}
    assert clusters.sizes_in(answer, "other") is None


def test_options_of_the_list_mean_nothing_before_another_command() -> None:
    """No option is parsed and ignored."""
    result = CliRunner().invoke(clusters.command, ["--json", "rename", "7", "x"])
    assert result.exit_code == 2
    assert "--json before rename" in result.output


class Silent:
    """A consumer of a control topic to which nothing comes any more."""

    def __init__(self, **options: Any) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def end_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, 0)

    def assign(self, places: list[Any]) -> None: ...

    def seek(self, place: Any, offset: int) -> None: ...

    async def getmany(self, place: Any, timeout_ms: int) -> dict[Any, Any]:
        await asyncio.sleep(timeout_ms / 1000)
        return {}


@pytest.mark.parametrize(("name", "granted"), [("my favourites", True), ("another", False)])
def test_a_name_that_a_cluster_has_already_is_granted_by_the_version_that_has_it(
    name: str, granted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer publishes none for it; the request is written all the same."""
    written: list[ClusterName] = []

    async def write(options: Any, control: str, request: ClusterName) -> None:
        written.append(request)

    monkeypatch.setattr(naming, "AIOKafkaConsumer", Silent)
    monkeypatch.setattr(naming, "_write", write)
    request = ClusterName("cluster", 7, name)
    found = asyncio.run(naming.ask({}, {}, "control", request, 0.1, FOURTH))
    assert (found, written) == (FOURTH if granted else None, [request])

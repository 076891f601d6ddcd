"""Clusters for people: which there are, what sets them apart, and what became of them from version to version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stream.cluster.model import ClusterModel, Happening, Profile, segment_of
from stream.events.instant import iso

#: How many traits a line shows.
TRAITS = 3


def as_json(model: ClusterModel, sizes: Mapping[str, int] | None) -> dict[str, Any]:
    """All that is known of the clusters of a version; ``sizes`` by segment, where a worker told them."""
    return {
        "dimension": model.dimension,
        "version": model.version,
        "effective": iso(model.effective),
        "learned": model.learned,
        "why": model.why,
        "drifted": list(model.drifted),
        "clusters": [
            {
                "id": number,
                "segment": segment_of(number),
                "name": name,
                "renamed": number in model.given,
                "size": None if sizes is None else sizes.get(segment_of(number), 0),
                **_measured(profile),
            }
            for number, name, profile in _rows(model)
        ],
    }


def _measured(profile: Profile | None) -> dict[str, Any]:
    if profile is None:
        return {"share": None, "homogeneity": None, "silhouette": None, "born": None, "apart": [], "warning": ""}
    apart = [{"feature": one.feature, "deviations": one.deviations, "words": one.words} for one in profile.traits]
    return {
        "share": profile.share,
        "homogeneity": profile.homogeneity,
        "silhouette": profile.silhouette,
        "born": profile.born,
        "apart": apart,
        "warning": profile.warning,
    }


def _rows(model: ClusterModel) -> list[tuple[int, str, Profile | None]]:
    """Id, name and profile of each cluster, by id."""
    profiles: Sequence[Profile | None] = model.profiles or [None] * len(model.names)
    return sorted(zip(model.numbers, model.names, profiles, strict=True), key=lambda row: row[0])


def draw_clusters(model: ClusterModel, sizes: Mapping[str, int] | None) -> RenderableType:
    """The clusters in force, a line each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("id", justify="right")
    table.add_column("name")
    table.add_column("share" if sizes is None else "customers", justify="right")
    table.add_column("alike", justify="right")
    table.add_column("set apart by")
    table.add_column("since version", justify="right")
    warnings = []
    for number, name, profile in _rows(model):
        size = "" if profile is None else f"{profile.share:.1%}"
        if sizes is not None:
            size = f"{sizes.get(segment_of(number), 0):,}"
        apart = [] if profile is None else [f"{one.feature} {one.deviations:+.1f}" for one in profile.traits[:TRAITS]]
        table.add_row(
            str(number),
            Text(name, style="bold" if number in model.given else ""),
            size,
            "" if profile is None else f"{profile.homogeneity:.0%}",
            ", ".join(apart),
            "" if profile is None else str(profile.born),
        )
        if profile is not None and profile.warning:
            warnings.append(Text(f"{segment_of(number)}: {profile.warning}", style="yellow"))
    head = f"{model.dimension}, version {model.version} since {iso(model.effective)}, of {model.learned:,} vectors"
    said = [Text(head)]
    if model.why:
        said.append(Text(model.why, style="dim"))
    foot = Text("set apart by: standard deviations from the mean of all customers; alike: 100% where all are the same")
    foot.stylize("dim")
    return Group(*said, table, *warnings, foot)


def eventful(versions: Sequence[ClusterModel]) -> list[ClusterModel]:
    """The versions that tell something: the first, and those in which clusters came, went, drifted or got names."""
    found = []
    for k, version in enumerate(versions):
        before = versions[k - 1] if k else None
        if before is None or version.story or version.drifted or version.given != before.given:
            found.append(version)
    return found


def history_as_json(shown: Sequence[ClusterModel]) -> list[dict[str, Any]]:
    """What each of the versions ``shown`` brought."""
    return [
        {
            "dimension": version.dimension,
            "version": version.version,
            "effective": iso(version.effective),
            "learned": version.learned,
            "clusters": {segment_of(n): name for n, name in zip(version.numbers, version.names, strict=True)},
            "story": [{"kind": one.kind, "id": one.id, "others": list(one.others)} for one in version.story],
            "drifted": list(version.drifted),
            "chosen": next((score.candidate for score in version.scores if score.chosen), None),
        }
        for version in shown
    ]


def draw_history(versions: Sequence[ClusterModel], shown: Sequence[ClusterModel]) -> RenderableType:
    """A line for each version shown, with all that happened in it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("version", "in force from", "clusters", "what happened"):
        table.add_column(column, justify="right" if column in ("version", "clusters") else "left")
    before = {later.version: earlier for earlier, later in pairwise(versions)}
    for version in shown:
        lines = told(version, before.get(version.version))
        table.add_row(
            str(version.version), iso(version.effective)[:19] + "Z", str(len(version.names)), "\n".join(lines)
        )
    return table


def told(version: ClusterModel, before: ClusterModel | None) -> list[str]:
    """What happened in a version, one sentence each."""
    lines = []
    if version.drifted:
        lines.append(f"the world had changed: {', '.join(version.drifted)} drifted")
    lines += [_sentence(one, version, before) for one in version.story]
    if before is None and not version.story:
        lines += [f"{segment_of(n)} {name!r}" for n, name, _ in _rows(version)]
    earlier = {} if before is None else dict(zip(before.numbers, before.names, strict=True))
    for number, name, _ in _rows(version):
        if number in version.given and earlier.get(number) not in (None, name):
            lines.append(f"{segment_of(number)} is called {name!r} now")
    return lines


def _sentence(one: Happening, version: ClusterModel, before: ClusterModel | None) -> str:
    names = {} if before is None else dict(zip(before.numbers, before.names, strict=True))
    names |= dict(zip(version.numbers, version.names, strict=True))
    who = f"{segment_of(one.id)} {names[one.id]!r}" if one.id in names else segment_of(one.id)
    others = " and ".join(segment_of(other) for other in one.others)
    if one.kind == "split":
        return f"{who} split off {others}"
    if one.kind == "merged":
        return f"{who} went into {others}"
    return f"{who} was born" if one.kind == "born" else f"{who} died"

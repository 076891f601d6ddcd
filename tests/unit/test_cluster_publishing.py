"""Versions of definitions: their numbers and instants, in a topic and in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.engine.versions import CutsVersion, DefinitionsVersion
from stream.errors import UserError
from stream.learners.control import Published, Version, read_version
from stream.learners.publishing import next_definitions
from stream.learners.versions import read_versions, write_versions
from tests.unit.test_cluster_files import model

FILES = {"life.yaml": "dimension: life\n"}
OTHER = {"life.yaml": "dimension: life # changed\n"}


def published(*versions: DefinitionsVersion) -> Published:
    found = Published()
    for version in versions:
        found.add("control[0]@1", version.to_json())
    return found


def test_numbers_count_up_from_one() -> None:
    assert next_definitions(published(), FILES, 5, "why") == DefinitionsVersion(1, 5, FILES, "why")
    there = published(DefinitionsVersion(1, 5, FILES), DefinitionsVersion(4, 9, OTHER))
    assert next_definitions(there, FILES, 10, "").version == 5


def test_the_same_definitions_are_not_published_twice_in_a_row() -> None:
    with pytest.raises(UserError, match="version 1 has these very definitions"):
        next_definitions(published(DefinitionsVersion(1, 5, FILES)), FILES, 10, "")


@pytest.mark.parametrize("effective", [4, 5])
def test_a_version_comes_after_those_before_it(effective: int) -> None:
    with pytest.raises(UserError, match=r"version 1 takes effect at 1970-01-01T00:00:00.005Z.*choose a later --at"):
        next_definitions(published(DefinitionsVersion(1, 5, FILES)), OTHER, effective, "")


def test_a_number_that_does_not_rise_is_passed_over_as_shards_do() -> None:
    there = published(DefinitionsVersion(2, 5, FILES), DefinitionsVersion(2, 9, OTHER), DefinitionsVersion(1, 9, OTHER))
    assert there.definitions == [DefinitionsVersion(2, 5, FILES)]


def test_a_file_holds_versions_of_every_kind(tmp_path: Path) -> None:
    file = tmp_path / "versions.jsonl"
    versions: list[Version] = [
        model(1, 10),
        CutsVersion(1, 5, [("rfm: spend", 0.2, 1.5)], {"rfm: spend": 9}),
        DefinitionsVersion(1, 7, FILES, "first"),
        CutsVersion(2, 6, []),
    ]
    write_versions(file, versions)
    assert read_versions(file) == versions


def test_versions_must_rise_within_their_kind(tmp_path: Path) -> None:
    file = tmp_path / "versions.jsonl"
    write_versions(file, [DefinitionsVersion(2, 5, FILES), CutsVersion(1, 5, []), DefinitionsVersion(3, 5, OTHER)])
    with pytest.raises(UserError, match=r":3: version 3 of the definitions does not come after version 2 before it"):
        read_versions(file)


def test_a_clock_is_no_version_and_an_unknown_type_is_told() -> None:
    assert read_version(b'{"type":"clock","timestamp":"2026-01-31T09:15:02Z"}') is None
    with pytest.raises(
        ValueError, match="'holiday' is not a type of control record: known are clock, cluster-name, cuts"
    ):
        read_version(b'{"type":"holiday"}')
    with pytest.raises(ValueError, match="must be a JSON object with a 'type'"):
        read_version(b"[1]")

"""The functions of dimensions are modules of their own, which depend on nothing but their definition and the layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream import compiled
from stream.plan.definitions import parse_definitions
from stream.plan.plan import kernel_source, part_sources, plan_source

FILES = {file.name: file.read_text() for file in (Path(__file__).parents[2] / "config" / "segments").glob("*.yaml")}


def parts_of(files: dict[str, str]) -> dict[str, str]:
    """Dimension -> the text of its module."""
    definitions = parse_definitions(files)
    layout, inputs, _ = plan_source(definitions)
    names = [dimension.name for dimension in definitions.dimensions]
    return dict(zip(names, part_sources(definitions, layout, inputs), strict=True))


def test_a_changed_threshold_changes_the_function_of_its_dimension_alone() -> None:
    """So that all others are found in the cache."""
    old, new = "buys < 0.4", "buys < 0.5"
    assert old in FILES["likely-to-churn.yaml"]
    before = parts_of(FILES)
    after = parts_of(FILES | {"likely-to-churn.yaml": FILES["likely-to-churn.yaml"].replace(old, new)})
    assert {name for name in before if before[name] != after[name]} == {"likely-to-churn"}


def test_kernels_call_functions_by_their_names_and_have_none_of_their_conditions() -> None:
    """They are compiled at the same time as the functions of the dimensions."""
    definitions = parse_definitions(FILES)
    layout, inputs, _ = plan_source(definitions)
    names = [f"part_{j}" for j in range(len(definitions.dimensions))]
    text = kernel_source(definitions, layout, inputs, names)
    assert all(f"dim_{j} = called({name!r})" in text for j, name in enumerate(names))
    assert "def dim_" not in text


def test_a_module_that_fails_to_load_is_not_kept(tmp_path: Path) -> None:
    """The next try loads it anew, instead of finding half of it."""
    name = "part_that_fails"
    with pytest.raises(ZeroDivisionError):
        compiled._load_alone(name, "1 / 0\n", tmp_path)
    assert compiled._load_alone(name, "judge = 1\n", tmp_path).judge == 1

"""Imports point one way: cli > web > app, history > learners > cluster, kafka, ... > engine > ... > events."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "stream"

#: package -> what it may import of ours, besides itself
ANYONE = {"errors", "durations"}
PURE = ["events", "features", "plan", "engine"]
LEARNING = ["predict", "cluster", "cuts"]
ALLOWED: dict[str, set[str]] = {
    **{name: ANYONE | set(PURE[:level]) for level, name in enumerate(PURE)},
    "kafka": {*ANYONE, *PURE, "settings", "settings_file", "settings_kafka"},
    **{name: {*ANYONE, *PURE} for name in LEARNING},
    "learners": {*ANYONE, *PURE, *LEARNING, "kafka"},
    "history": {*ANYONE, *PURE, *LEARNING, "compiled", "learners"},
    "simulate": {*ANYONE, *PURE, "kafka"},
    "app": {*ANYONE, *PURE, *LEARNING, "compiled", "settings", "kafka", "learners"},
    "web": {*ANYONE, *PURE, "settings", "kafka", "cluster", "predict", "learners", "app"},
}
#: What would bring I/O, a clock or a log into the pure layers.
IMPURE = {
    *("asyncio", "aiokafka", "faust", "mode", "logging", "time", "socket", "subprocess", "threading", "random"),
    *("requests", "aiohttp", "prometheus_client", "click", "rich"),
}
#: Where arrays take memory from the system, it is timed how quickly that gives large pages: what is in the arrays, and
#: so what a shard says, has nothing to do with it (test_engine_growing.py).
TIMED = ("engine/growing.py", "time")


def imports(package: str) -> Iterator[tuple[str, str]]:
    """(file, module) for every import in a package, also those inside functions."""
    for file in sorted((PACKAGE / package).rglob("*.py")):
        where = str(file.relative_to(PACKAGE))
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((where, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{where}: a relative import hides which layer it reaches"
                if node.module == "stream":
                    yield from ((where, f"stream.{alias.name}") for alias in node.names)
                else:
                    yield where, node.module or ""


def modules(tree: ast.Module) -> Iterator[str]:
    """The modules that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("package", ALLOWED)
def test_a_layer_imports_only_what_lies_below(package: str) -> None:
    """So each layer can be read, tested and replaced without those above it."""
    ours = [(file, module.split(".")[1]) for file, module in imports(package) if module.startswith("stream.")]
    assert [(file, part) for file, part in ours if part != package and part not in ALLOWED[package]] == []


@pytest.mark.parametrize("package", [*PURE, *LEARNING])
def test_pure_layers_have_no_clock_and_no_io(package: str) -> None:
    """The same shard must run live, in replay and in tests; only who feeds it differs."""
    impure = {(file, module) for file, module in imports(package) if module.split(".")[0] in IMPURE}
    assert impure - {TIMED} == set()


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    """Else both could be wrong in one way."""
    folder = Path(__file__).parents[1] / "oracle"
    found = [module for file in folder.glob("*.py") for module in modules(ast.parse(file.read_text()))]
    assert found
    assert [module for module in found if module.split(".")[0] == "stream"] == []


def test_every_package_has_its_place() -> None:
    """A new package must be given a layer here."""
    packages = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert packages == {*ALLOWED, "cli"}

"""What changed definitions would have made of history."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from stream.app import bootstrap
from stream.cli.diff import command
from stream.errors import UserError
from stream.plan.plan import twin_plan
from tests.shards import event

DAY = 86_400_000
START = 1_767_225_600_000
OLD: dict[str, Any] = {
    "dimension": "life",
    "features": {"orders": {"count": "Order Completed"}, "ago": {"since": "Order Completed"}},
    "segments": [{"segment": "late", "when": "ago >= 30d"}, {"segment": "buys", "when": "orders >= 1"}],
}
SAME = {
    "dimension": "views",
    "features": {"n": {"count": "Product Viewed"}},
    "segments": [{"segment": "a", "when": "n >= 1"}],
}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled, and the variables that steer tests are no settings."""
    for name in [name for name in os.environ if name.startswith("SEGSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(bootstrap, "make_plan", lambda found, _: twin_plan(found))


def folder(path: Path, *dimensions: dict[str, Any]) -> str:
    """A folder of definitions."""
    path.mkdir()
    for one in dimensions:
        (path / f"{one['dimension']}.yaml").write_text(yaml.safe_dump(one, sort_keys=False))
    return str(path)


def events(path: Path) -> str:
    """Ann orders on days 0, 20, 40; Bo on day 0; Cy only looks on day 50."""
    made = [event("ann", "Order Completed", START + day * DAY) for day in (0, 20, 40)]
    made += [event("bo", "Order Completed", START), event("cy", "Product Viewed", START + 50 * DAY)]
    made.sort(key=lambda one: str(one["timestamp"]))
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in made))
    return str(path)


def differ(tmp_path: Path, new: list[dict[str, Any]], *options: str) -> Result:
    """The command over both folders."""
    folders = [folder(tmp_path / "old", OLD, SAME), folder(tmp_path / "new", *new)]
    return CliRunner().invoke(
        command, [*folders, "--events", events(tmp_path / "e.jsonl"), *options], standalone_mode=False
    )


EARLIER = OLD | {
    "segments": [{"segment": "late", "when": "ago >= 10d"}, {"segment": "buys", "when": "orders >= 1"}],
    "otherwise": "looks",
}


def test_sizes_moves_and_changes_are_those_of_two_replays(tmp_path: Path) -> None:
    """Worked out by hand: with ten days instead of thirty, Ann is late too, and was twice before; Cy has a segment."""
    answer = differ(tmp_path, [EARLIER, SAME], "--json", "--until", "2026-02-20")
    assert answer.exit_code == 0, answer.output
    found = {one["dimension"]: one for one in orjson.loads(answer.output)}
    life = found["life"]
    assert life["sizes"] == {
        "late": {"old": 1, "new": 2},
        "buys": {"old": 1, "new": 0},
        "looks": {"old": 0, "new": 1},
        "none": {"old": 1, "new": 0},
    }
    assert life["moved"] == [
        {"from": "buys", "to": "late", "customers": 1, "examples": ["ann"]},
        {"from": "none", "to": "looks", "customers": 1, "examples": ["cy"]},
    ]
    assert life["changes"]["late"] == {"old": 1, "new": 4}
    assert life["changes"]["buys"] == {"old": 2, "new": 4}
    assert life["changes_per_customer"] == {
        "old": {"mean": 1.0, "p95": 2, "most": 2},
        "new": {"mean": 3.0, "p95": 6, "most": 6},
    }
    assert found["views"]["moved"] == []
    assert found["views"]["old"] == found["views"]["new"]


def test_for_people_only_what_differs_is_shown(tmp_path: Path) -> None:
    """Whoever changed one dimension reads of that one."""
    text = differ(tmp_path, [EARLIER, SAME], "--until", "2026-02-20").output
    assert "life: life@" in text
    assert "2 customers (66.7%) end in another segment" in text
    assert "such as" in text
    assert "1 of 2 dimensions give the same for all 3 customers" in text


def test_a_dimension_that_is_new_or_gone_moves_everyone_who_is_in_it(tmp_path: Path) -> None:
    """Definitions may come and go as a whole."""
    extra = OLD | {"dimension": "extra"}
    out = tmp_path / "who.jsonl"
    answer = differ(tmp_path, [OLD, extra], "--out", str(out), "--exit-code", "--until", "2026-02-20")
    assert answer.return_value == 1
    lines = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert {"customer": "cy", "dimension": "views", "old": "a", "new": "none"} in lines
    assert {"customer": "bo", "dimension": "extra", "old": "none", "new": "late"} in lines
    assert {line["dimension"] for line in lines} == {"views", "extra"}


def test_the_same_definitions_give_no_difference(tmp_path: Path) -> None:
    """Prose is no difference."""
    answer = differ(tmp_path, [OLD | {"description": "better said"}, SAME], "--exit-code")
    assert answer.return_value == 0
    assert "2 of 2 dimensions give the same" in answer.output


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--events", "-"], "read twice"),
        (["--dimension", "lief"], "no dimension lief"),
        (["--out", "e.jsonl"], "input"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], sentence: str
) -> None:
    """A mistake is told with what to do."""
    monkeypatch.chdir(tmp_path)
    answer = differ(tmp_path, [OLD, SAME], *options)
    assert isinstance(answer.exception, UserError)
    assert sentence in str(answer.exception)

"""What `segstream predictions` says of the model of lifetimes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from stream.cli import predictions
from stream.cli.view.predictions import as_json, draw_history, draw_lifetime
from stream.errors import UserError
from stream.learners.control import Published
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.words import DAY
from stream.settings import Settings

FIRST = LifetimeModel(
    version=1,
    effective=1_700_000_000_000,
    r=0.243,
    alpha=4.414 * 7 * DAY,
    a=0.793,
    b=2.426,
    learned_at=1_699_999_000_000,
    customers=2357.0,
    repeat_buyers=946.0,
)
SECOND = msgspec.structs.replace(
    FIRST, version=2, effective=1_700_100_000_000, p=6.25, q=3.74, gamma=15.44e6, spenders=946.0, correlation=0.41
)


def printed(what: Any) -> str:
    console = Console(width=200, record=True)
    console.print(what)
    return console.export_text()


def test_a_version_is_told_in_words_and_with_its_warnings() -> None:
    """Who it was learned from, what it means, and that frequency and value go together."""
    text = printed(draw_lifetime(SECOND, "USD"))
    assert "version 2 since 2023-11-16T02:00:00.000Z, fitted to 2,357 customers" in text
    assert "of whom 946 bought again" in text
    assert "An order is worth 35.22 USD on average" in text
    assert "mind: how often customers buy" in text
    plain = printed(draw_lifetime(FIRST, "USD"))
    assert "mind" not in plain
    assert "USD" not in plain


def test_versions_are_a_line_each() -> None:
    """In their order, times in days, money in units; what is not known is empty."""
    lines = printed(draw_history([FIRST, SECOND], "USD")).splitlines()
    first, second = (line.split() for line in lines if line.strip()[:1] in ("1", "2"))
    assert first == ["1", "2023-11-14T22:13:20Z", "2,357", "946", "0.243", "30.9", "0.793", "2.43"]
    assert second[8:] == ["35.22", "+0.41", "1", "to", "mind"]


def test_json_has_what_the_words_are_made_of() -> None:
    """For whoever draws it otherwise; `value` is null where none is known."""
    assert as_json(FIRST, "USD")["value"] is None
    found = as_json(SECOND, "USD")
    assert found["alpha"] == pytest.approx(4.414 * 7)
    assert found["value"]["order_value"] == pytest.approx(35.22, abs=0.01)
    assert len(found["words"]) == 5
    assert len(found["warnings"]) == 1


def test_the_newest_or_all_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """--history tells of all, else the newest is told; both as JSON too."""

    async def versions(settings: Settings) -> list[LifetimeModel]:
        return [FIRST, SECOND]

    monkeypatch.setattr(predictions, "_versions", versions)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(predictions.command, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert json.loads(run("--json"))["version"] == 2
    history = json.loads(run("--json", "--history"))
    assert [(one["kind"], one["version"]) for one in history] == [("lifetimes", 1), ("lifetimes", 2)]
    assert run().startswith("lifetimes, version 2")
    assert "2023-11-14T22:13:20Z" in run("--history")


def test_without_a_version_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 1: nothing is wrong, but there is nothing to tell."""

    async def nothing(*_: Any) -> Published:
        return Published()

    monkeypatch.setattr("stream.learners.control.read_published", nothing)
    monkeypatch.setattr("stream.kafka.topics.ensure_topics", nothing)
    with pytest.raises(UserError, match="no model of lifetimes has been learned yet") as caught:
        asyncio.run(predictions._versions(Settings()))
    assert caught.value.exit_code == 1

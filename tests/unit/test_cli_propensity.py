"""What `segstream predictions` says of what is learned online."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from stream.cli import predictions
from stream.predict.delayed import Answer, Question
from stream.predict.propensity import PropensityModel
from stream.predict.trainer import PropensitySettings, PropensityTrainer
from stream.predict.trainer_state import MODEL
from stream.settings import Settings

SETTINGS = PropensitySettings(("orders", "noise"), 1_000, warm_up=50, publish_every=50, name="propensity:will_buy@1234")


def learned() -> list[PropensityModel]:
    """A version without answers to what it said, and one with some; who has more orders does it."""
    random = np.random.default_rng(1)
    trainer, found, model = PropensityTrainer(SETTINGS), [], None
    for at in range(600):
        x = random.normal(size=2)
        came = bool(x[0] + 0.3 * random.normal() > 0)
        said = float(model.probability(x[np.newaxis])[0]) if model else float("nan")
        trainer.learn([Answer(Question(at, x, (said, float(random.normal()), float("nan"), float("nan"))), came)])
        if at in (99, 599):
            model = trainer.snapshot(1_700_000_000_000 + at, {0: at})
            assert model is not None
            found.append(model)
    return found


def run(monkeypatch: pytest.MonkeyPatch, versions: list[Any], *arguments: str) -> str:
    """What the command prints of these versions."""

    async def published(settings: Settings) -> list[Any]:
        return versions

    monkeypatch.setattr(predictions, "_versions", published)
    result = CliRunner().invoke(predictions.command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_newest_version_says_how_good_it_was_and_what_it_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside baselines that said something; no answers, no figures."""
    versions = learned()
    text = run(monkeypatch, versions)
    assert text.startswith("will_buy, version 2 since 2023-11-14T22:13:20.599Z, learned from 600 answers")
    assert "What weighs most, in deviations: orders +" in text
    assert "days of absence" in text
    assert "P(buys)" not in text
    told = json.loads(run(monkeypatch, versions, "--json"))["predictions"]
    assert [one["version"] for one in told] == [2]
    assert told[0]["auc"][MODEL] > 0.9 > told[0]["auc"]["recency"]
    assert told[0]["auc"]["buys"] is None
    assert "No answers yet" in run(monkeypatch, versions[:1])


def test_history_has_a_line_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order; what is not known is empty, also of a version that does not say how it was learned."""
    versions = learned()
    lines = [line.split() for line in run(monkeypatch, versions, "--history").splitlines() if "will_buy" in line]
    assert [line[:3] for line in lines] == [
        ["will_buy", "1", "2023-11-14T22:13:20Z"],
        ["will_buy", "2", "2023-11-14T22:13:20Z"],
    ]
    assert [line[3] for line in lines] == ["100", "600"]
    assert len(lines[0]) == 4
    bare = msgspec.structs.replace(versions[1], trainer=msgspec.Raw(b"null"))
    assert json.loads(run(monkeypatch, [bare], "--history", "--json"))[0]["miscalibration"] is None

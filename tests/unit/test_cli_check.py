"""What ``segstream check`` says: every mistake, what each dimension needs, and what is probably not meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from stream.cli.check import command
from stream.errors import UserError
from stream.events.names import KNOWN
from stream.plan.hints import find_hints, misspelt
from stream.plan.layout import make_layout
from stream.plan.room import rooms
from tests.conftest import REPOSITORY
from tests.shards import definitions

FULL = {"description": "What it tells.", "owner": "What to do.", "minimum_size": 100}
LIFE: dict[str, Any] = {
    "dimension": "life",
    **FULL,
    "features": {
        "orders": {"count": "Order Completed"},
        "usual_gap": {"gap": "Order Completed", "default": "45d"},
    },
    "segments": [{"segment": "buys", "when": "orders >= 1 and usual_gap < 60d", "cooldown": "1d", "topic": "buyers"}],
}
VALUE: dict[str, Any] = {
    "dimension": "value",
    **FULL,
    "features": {"orders": {"count": "Order Completed"}, "seen": {"since": "Product Viewed"}},
    "segments": [{"segment": "high", "when": 'orders >= 3 and seen < 30d and segment.life == "buys"'}],
}


@pytest.fixture(autouse=True)
def _plain_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that steer tests are no settings."""
    for name in [name for name in os.environ if name.startswith("SEGSTREAM_")]:
        monkeypatch.delenv(name)


def check(folder: Path, made: list[dict[str, Any]], *options: str) -> Result:
    """The command over a folder of definitions."""
    for one in made:
        (folder / f"{one['dimension']}.yaml").write_text(yaml.safe_dump(one, sort_keys=False))
    return CliRunner().invoke(command, ["--definitions", str(folder), *options], standalone_mode=False)


def test_what_a_dimension_needs_adds_up() -> None:
    """Own bytes are what leaving the dimension out saves: features that others have too are counted once."""
    found = definitions(LIFE, VALUE)
    layout = make_layout(found)
    life, value = rooms(found, layout)
    assert (life.dimension.name, value.dimension.name) == ("life", "value")
    assert value.own_bytes == layout.width * 8 - make_layout(definitions(LIFE)).width * 8
    assert [(f.name, f.shared_with) for f in value.features] == [("orders", ("life",)), ("seen", ())]
    assert life.row_bytes - life.own_bytes == 8
    assert value.events == ("Order Completed", "Product Viewed")


def test_programs_read_the_same(tmp_path: Path) -> None:
    """``--json`` has what people see."""
    shown = orjson.loads(check(tmp_path, [LIFE, VALUE], "--json").output)
    assert [one["dimension"] for one in shown["dimensions"]] == ["life", "value"]
    assert shown["dimensions"][0]["topics"] == ["buyers"]
    assert shown["dimensions"][1]["depends"] == ["life"]
    assert shown["hints"] == []


def test_a_dimension_can_be_looked_at_closely(tmp_path: Path) -> None:
    """Conditions and features, one a line."""
    text = check(tmp_path, [LIFE, VALUE], "--dimension", "life").output
    assert "orders >= 1 and usual_gap < 60d" in text
    assert "cooldown 1d" in text
    assert "seen" not in text


def test_mistakes_of_settings_and_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """Whoever mends one mistake should not meet the next one only then."""
    (tmp_path / "stream.yaml").write_text("kafka: {brokrs: x}\n")
    bad = [LIFE | {"segments": [{"segment": "a", "when": "ordrs >= 1"}]}, VALUE | {"features": {"x": {"cuont": "E"}}}]
    answer = check(tmp_path, bad, "--config", str(tmp_path))
    assert isinstance(answer.exception, UserError)
    for word in ("brokrs", "ordrs", "cuont"):
        assert word in str(answer.exception)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Order Complete", "Order Completed"),
        ("order completed", "Order Completed"),
        ("Products Viewed", "Product Viewed"),
        ("Product Added to Wish List", "Product Added to Wishlist"),
        ("email_opened", "Email Opened"),
        ("Order Completed", None),
        ("Tour Booked", None),
        ("NPS Survey Answered", None),
    ],
)
def test_a_name_that_is_nearly_known_is_a_slip(name: str, meant: str | None) -> None:
    """Names of one's own are welcome; what differs by a letter is told."""
    assert misspelt(name) == meant


def test_hints_name_what_is_probably_not_meant(tmp_path: Path) -> None:
    """Prose that is missing, a misspelt event, a feature that nothing uses; ``--strict`` fails on them."""
    bare = {
        "dimension": "bare",
        "features": {"n": {"count": "Order Complete"}, "spare": {"since": "Page Viewed"}},
        "segments": [{"segment": "a", "when": "n >= 1"}, {"segment": "b", "when": "n >= 2"}],
    }
    sentences = [hint.sentence for hint in find_hints(definitions(bare))]
    for part in (
        "'description'",
        "'owner'",
        "'minimum_size'",
        "'Order Completed' meant",
        "'spare' is used by no",
        "be in 'b'",
    ):
        assert any(part in sentence for sentence in sentences), part
    answer = check(tmp_path, [bare], "--strict")
    assert answer.return_value == 1
    assert "bare.yaml:1:" in answer.output


def test_a_feature_of_what_asks_to_forget_is_pointed_out() -> None:
    """It would wait for ever: such an event is no event of a customer whom anything is known of."""
    life = {
        "dimension": "d",
        "features": {"n": {"count": "User Deleted"}},
        "segments": [{"segment": "s", "when": "n > 0"}],
    }
    found = [hint.sentence for hint in find_hints(definitions(life), ["User Deleted"])]
    assert [one for one in found if one not in {h.sentence for h in find_hints(definitions(life))}] == [
        "'User Deleted' asks to forget its customer (customers.forget_events): no feature ever sees it"
    ]


def test_what_ships_gives_no_hint() -> None:
    """The catalogue is the example that others follow."""
    from stream.app.definition_files import read_definitions

    found = read_definitions(REPOSITORY / "config" / "segments")
    assert [str(hint) for hint in find_hints(found)] == []


def test_known_names_are_written_as_in_the_specification() -> None:
    """Title case, no doubles: the list is what slips are measured by."""
    assert all(name == " ".join(name.split()) and name[0].isupper() for name in KNOWN)

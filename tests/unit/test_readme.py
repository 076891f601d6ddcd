"""What the README says is true: every command, metric, feature and setting is documented, and its examples work."""

from __future__ import annotations

import re

import pytest
import yaml
from click import Context

from stream.app.metric_list import labels_reference, reference
from stream.cli import COMMANDS, cli
from stream.plan.definitions import KEYS, SEGMENT_KEYS, parse_definitions
from stream.plan.features import READERS
from stream.plan.typer import FUNCTIONS, WORDS
from stream.settings import Settings
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
CONFIG = (REPOSITORY / "config" / "stream.yaml").read_text()


def test_every_command_is_in_the_readme() -> None:
    """A command nobody can find does not exist."""
    assert sorted(re.findall(r"^\| `segstream ([a-z]+)` \|", README, re.MULTILINE)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_explains_itself(name: str) -> None:
    """Help texts are for strangers: a sentence for the command and one for each option."""
    command = cli.get_command(Context(cli), name)
    assert command is not None
    assert command.help
    assert [p.name for p in command.params if p.param_type_name == "option" and not getattr(p, "help", None)] == []


def test_the_reference_of_metrics_is_that_of_the_code() -> None:
    """Made by `python -c 'from stream.app.metric_list import *; print(reference()); print(labels_reference())'`."""
    assert reference() in README
    assert labels_reference() in README


def test_every_kind_of_feature_is_in_the_readme() -> None:
    """Who writes a definition sees what there is."""
    assert [word for word in READERS if f"{{{word}: " not in README] == []


def test_every_key_and_word_of_a_definition_is_in_the_readme() -> None:
    """The same of segments, dimensions and conditions; a key stands in code, a function with its bracket."""
    fenced = re.findall(r"```.*?```", README, re.DOTALL)
    code = " ".join([*fenced, *re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))])
    keys = [key for key in (*KEYS, *SEGMENT_KEYS) if not re.search(rf"\b{key}\b", code)]
    assert keys + [word for word in (*FUNCTIONS, *WORDS) if f"{word}(" not in code] == []


def test_every_setting_stands_in_the_shipped_file() -> None:
    """config/stream.yaml shows each setting with its default, so nobody has to guess a name."""
    shipped = yaml.safe_load(CONFIG)
    for section, field in Settings.model_fields.items():
        model = field.annotation
        for name in getattr(model, "model_fields", {}):
            assert name in shipped[section], f"{section}.{name}"


def test_the_definition_in_the_readme_compiles() -> None:
    """The example is one that works."""
    example = re.search(r"```yaml\n(dimension: .*?)```", README, re.DOTALL)
    assert example is not None
    definitions = parse_definitions({"README.md": example[1]})
    assert definitions.dimensions[0].segment_names == ("at-risk", "reactivated", "active", "prospect")

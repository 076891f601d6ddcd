"""Settings: one file, variables over it, and every mistake explained at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from stream.errors import UserError
from stream.settings import ALL_CAUSES, Output, Settings, load_settings

SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SEGSTREAM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stream.yaml").write_text("")
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "stream.yaml").write_text(text)


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        load_settings(folder)
    head, *lines = str(caught.value).splitlines()
    assert "in the settings" in head
    return [line.strip().replace(f"{folder.resolve()}/", "") for line in lines]


def fields(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, str | None]]:
    for name, field in model.model_fields.items():
        yield above + name, field.description
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{above}{name}.")


def test_the_shipped_file_states_exactly_the_defaults(folder: Path) -> None:
    """Who reads config/stream.yaml reads the truth: it lists every section, each with the value of the code."""
    shipped, bare = load_settings(SHIPPED), load_settings(folder)
    assert shipped.model_dump() == bare.model_dump()
    text = (SHIPPED / "stream.yaml").read_text()
    for name, _ in fields(Settings):
        assert f"{name.split('.')[-1]}:" in text, f"{name} is missing in config/stream.yaml"


def test_every_field_is_documented() -> None:
    """No key without a description."""
    assert [name for name, description in [*fields(Settings), *fields(Output)] if not description] == []


def test_defaults_have_their_types(folder: Path) -> None:
    """Durations are int milliseconds; everything is set."""
    settings = load_settings(folder)
    assert (settings.batch.commit_every, settings.time.future_tolerance, settings.app.partitions) == (25, 300_000, 8)
    assert settings.changelog_topic == "segstream-customers-changelog"
    assert settings.config_dir == folder.resolve()


def test_file_values_are_read(folder: Path) -> None:
    """Nested sections, durations, passthrough options."""
    write(folder, "kafka: {brokers: 'a:1, b:2', consumer: {fetch_max_wait_ms: 100}}\ntime: {disorder: 1h30m}\nmoney:\n")
    settings = load_settings(folder)
    assert settings.kafka.brokers == "a:1,b:2"
    assert settings.kafka.consumer == {"fetch_max_wait_ms": 100}
    assert settings.time.disorder == 5_400_000
    assert settings.money.currency == "EUR"


def test_variables_win_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable replaces one key and leaves its neighbours as the file has them."""
    write(folder, "app: {id: shop, partitions: 4}\n")
    monkeypatch.setenv("SEGSTREAM_APP__PARTITIONS", "16")
    monkeypatch.setenv("SEGSTREAM_BATCH__COMMIT_EVERY", "1s")
    monkeypatch.setenv("SEGSTREAM_KAFKA__SECURITY__CHECK_HOSTNAME", "false")
    monkeypatch.setenv("SEGSTREAM_KAFKA__PRODUCER", '{"linger_ms": 5}')
    monkeypatch.setenv("SEGSTREAM_OUTPUTS", '{"at-risk": {"max_age": "7d"}}')
    settings = load_settings(folder)
    assert (settings.app.id, settings.app.partitions, settings.batch.commit_every) == ("shop", 16, 1_000)
    assert settings.kafka.security.check_hostname is False
    assert settings.kafka.producer == {"linger_ms": 5}
    assert settings.output("at-risk").max_age == 604_800_000


def test_all_mistakes_at_once_with_line_key_and_what_is_expected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run shows everything that must be mended, in the file and in the environment."""
    write(
        folder,
        "kafka:\n  brokrs: x:1\n  security: {protocol: TLS}\n"
        "time:\n  zone: Mars/Olympus\n  disorder: 5\n"
        "topics: {changes: 'a b'}\nwib: {}\napp:\n  partitions: many\n  partitions: 0\n"
        "outputs:\n  at-risk: {max_ag: 7d, causes: [evnt]}\n",
    )
    monkeypatch.setenv("SEGSTREAM_WEB__PROT", "1")
    monkeypatch.setenv("SEGSTREAM_WEB__PORT", "x")
    monkeypatch.setenv("SEGSTREAM_KAFKA_BROKERS", "x:1")
    assert sorted(mistakes(folder)) == sorted(
        [
            "stream.yaml:2: kafka.brokrs: unknown key, did you mean brokers?",
            "stream.yaml:3: kafka.security.protocol: "
            "expected 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL', found 'TLS'",
            "stream.yaml:5: time.zone: "
            "expected a time zone of the IANA list, such as UTC or Europe/Vienna, found 'Mars/Olympus'",
            "stream.yaml:6: time.disorder: expected a duration with its unit, such as 5s or 5ms, found 5",
            "stream.yaml:7: topics.changes: "
            "expected a topic name: letters, digits, '.', '_' or '-', at most 249 of them, found 'a b'",
            "stream.yaml:8: wib: unknown key, did you mean web?",
            "stream.yaml:11: app.partitions: is there twice, first in line 10: keep one of them",
            "stream.yaml:11: app.partitions: expected 1 or more, found 0",
            "stream.yaml:13: outputs.at-risk.max_ag: unknown key, did you mean max_age?",
            "stream.yaml:13: outputs.at-risk.causes.0: "
            "expected 'event', 'deadline', 'definition' or 'model', found 'evnt'",
            "environment variable SEGSTREAM_WEB__PROT: unknown key, did you mean port?",
            "environment variable SEGSTREAM_WEB__PORT: expected a whole number, found 'x'",
            "environment variable SEGSTREAM_KAFKA_BROKERS: unknown, did you mean SEGSTREAM_KAFKA__BROKERS?",
        ]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kafka: {security: {protocol: SASL_SSL}}", "kafka.security: protocol SASL_SSL needs username and password"),
        ("kafka: {security: {username: a}}", "kafka.security: username is set but protocol is PLAINTEXT"),
        ("kafka: {security: {ca_file: a}}", "kafka.security: certificate files are set but protocol is PLAINTEXT"),
        ("kafka: {security: {protocol: SSL, key_file: a}}", "kafka.security: key_file is set without cert_file"),
        ("topics: {profiles: purchases}", "topics: purchases and profiles are both 'purchases'"),
        ("batch: {commit_every: 20s}", "batch: commit_every must be shorter than transaction_timeout"),
        ("batch: {session_timeout: 5s}", "batch: session_timeout is too short"),
        ("batch: {transaction_timeout: 5ms}", "batch: transaction_timeout is too short"),
        ("kafka: {brokers: localhost}", "kafka.brokers: expected host:port"),
        ("kafka: [1]", "kafka: expected keys with values"),
        ("money: {currency: euro}", "money.currency: expected a currency of three capital letters"),
        ("money: {rates: {USD: 0}}", "money.rates.USD: expected more than 0"),
    ],
)
def test_contradictions_are_mistakes(folder: Path, text: str, expected: str) -> None:
    """Keys that are well formed but do not fit together are named too."""
    write(folder, text)
    (line,) = mistakes(folder)
    assert line.startswith(f"stream.yaml:1: {expected}"), line


def test_a_password_is_never_shown(folder: Path) -> None:
    """Neither printing the settings nor a mistake in the key shows what the password is."""
    write(folder, "kafka: {security: {protocol: SASL_SSL, username: a, password: hunter2}}")
    assert "hunter2" not in repr(load_settings(folder))
    write(folder, "kafka: {security: {protocol: SASL_SSL, username: a, password: 7654321}}")
    assert "7654321" not in str(mistakes(folder))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a: [", ":1: not YAML"), ("- a", "expected sections such as kafka: and topics:"), ("a: \x00", "not YAML")],
)
def test_a_file_that_is_no_settings_file(folder: Path, text: str, expected: str) -> None:
    """Broken YAML and a list at the top are one sentence that names the file."""
    write(folder, text)
    with pytest.raises(UserError, match=r"stream\.yaml") as caught:
        load_settings(folder)
    assert expected in str(caught.value)


def test_bad_json_in_a_variable_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map given by a variable must be JSON."""
    monkeypatch.setenv("SEGSTREAM_OUTPUTS", "{at-risk")
    with pytest.raises(UserError, match=r'"outputs".*expected JSON'):
        load_settings(folder)


def test_lookup_order(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder given, else the variable, else ./config, else the shipped copy."""
    empty, local, named = tmp_path / "empty", tmp_path / "here" / "config", tmp_path / "named"
    for place in (empty, local, named):
        place.mkdir(parents=True)
    for place in (local, named):
        (place / "stream.yaml").write_text("")
    monkeypatch.chdir(empty)
    assert load_settings().config_dir == SHIPPED
    monkeypatch.chdir(local.parent)
    assert load_settings().config_dir == local
    monkeypatch.setenv("SEGSTREAM_CONFIG", str(named))
    assert load_settings().config_dir == named
    assert load_settings(folder).config_dir == folder
    with pytest.raises(UserError, match=r"no stream\.yaml in .*empty"):
        load_settings(empty)
    monkeypatch.setenv("SEGSTREAM_CONFIG", str(empty))
    with pytest.raises(UserError, match=r"from SEGSTREAM_CONFIG"):
        load_settings()


def test_brokers_of_the_command_line_win(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--broker is stronger than file and variable, and is checked like them; the rest stays."""
    monkeypatch.setenv("SEGSTREAM_KAFKA__BROKERS", "a:1")
    write(folder, "app: {partitions: 3}")
    settings = load_settings(folder, brokers="b:2, c:3")
    assert (settings.kafka.brokers, settings.app.partitions, settings.config_dir) == ("b:2,c:3", 3, folder)
    with pytest.raises(UserError, match=r"--broker nowhere: expected host:port"):
        load_settings(folder, brokers="nowhere")


def test_outputs_have_defaults(folder: Path) -> None:
    """segment-changes and customer-segments get all; a topic named by a definition gets fresh events and deadlines."""
    write(folder, "topics: {changes: moves}\noutputs: {vip: {max_age: null, causes: [model]}}")
    settings = load_settings(folder)
    assert settings.output("moves") == Output(max_age=None, causes=ALL_CAUSES) == settings.output("customer-segments")
    assert settings.output("segment-changes") == Output() == settings.output("at-risk")
    assert Output().max_age == 172_800_000
    assert settings.output("vip") == Output(max_age=None, causes=("model",))

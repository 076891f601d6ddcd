"""Asking that customers be forgotten: what is sent, what is refused, and how a replay tells of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from stream.cli import forget, replay
from stream.errors import UserError
from stream.events.batch import FORGET
from stream.events.customer import customer_id, ids_of
from stream.events.decode import Decoder
from stream.kafka.forgetting import Request
from stream.plan.plan import twin_plan
from stream.settings import load_settings
from tests.shards import Record, event, plan_of, wire_time
from tests.shop import LIFE, WISH


@given(st.text(min_size=1) | st.sampled_from(["anonymous:", "user:a", "user:anonymous:x", "anonymous:anonymous:"]))
def test_an_id_leads_back_to_what_it_was_made_of(text: str) -> None:
    """Whoever asks gives the id that changes have; the event names the userId or the anonymousId behind it."""
    for ids in ((text, None), (None, text)):
        customer = customer_id(*ids)
        assert customer is not None
        assert ids_of(customer) == ids


@pytest.mark.parametrize("customer", ["", "anonymous:", "user:c17", "user:"])
def test_what_is_no_id_is_refused(customer: str) -> None:
    """Before anything is sent: no receipt would ever come."""
    with pytest.raises(ValueError, match="no customer's id"):
        ids_of(customer)


@pytest.mark.parametrize("customer", ["c17", "anonymous:a9", "user:anonymous:a9"])
def test_the_request_is_read_as_one_about_that_customer(customer: str) -> None:
    """By any worker, whatever its definitions are."""
    request = Request(customer, "User Deleted", 1_700_000_000_000)
    decoder = Decoder(plan_of(LIFE).inputs, forget=["User Deleted"])
    batch = decoder.decode("clickstream", 0, [Record(0, request.value(), request.key)], 0, 1)
    assert batch.codes.tolist() == [FORGET]
    assert list(batch.customers) == [customer.encode()]
    assert batch.instants.tolist() == [1_700_000_000_000]
    assert batch.ids[0] == request.message_id
    assert Decoder(plan_of(LIFE).inputs).decode("c", 0, [Record(0, request.value())], 0, 1).codes.tolist() == [-1]


@pytest.mark.parametrize("name", ["Product Updated", "Order Completed"])
def test_an_event_that_asks_to_forget_means_nothing_else(name: str) -> None:
    """Not even where it would happen to a product: without a customer it is rejected."""
    decoder = Decoder(plan_of(LIFE, WISH).inputs, forget=[name])
    records = [Record(k, orjson.dumps(event(who, name, 5, product_id="p"))) for k, who in enumerate(["ann", ""])]
    batch = decoder.decode("products", 0, records, 0, 2)
    assert batch.codes.tolist()[0] == FORGET
    assert batch.dead[1].reason == "no-customer"


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str, **settings: str) -> str:
    for name, value in settings.items():
        monkeypatch.setenv(f"SEGSTREAM_{name}", value)
    result = CliRunner().invoke(forget.command, list(arguments), standalone_mode=False)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_mistakes_are_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence each: no broker is asked."""
    assert "'user:c17' is no customer's id" in asked(monkeypatch, "user:c17")
    assert "still to come" in asked(monkeypatch, "c17", "--at", "2199-01-01")
    assert "1000 characters" in asked(monkeypatch, "c" * 1001)
    assert "--at" in asked(monkeypatch, "c17", TIME__CLOCK="event")
    assert "forget_events is empty" in asked(monkeypatch, "c17", CUSTOMERS__FORGET_EVENTS="[]")


def test_dormant_after_says_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A customer who lives for no time at all is a slip of the pen."""
    monkeypatch.setenv("SEGSTREAM_CUSTOMERS__DORMANT_AFTER", "5s")
    with pytest.raises(UserError, match="dormant_after"):
        load_settings()


def test_a_replay_has_receipts_among_the_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As lines of their own, behind the changes before them; the summary counts them; who is gone is in no snapshot."""
    day = 86_400_000
    monkeypatch.setenv("SEGSTREAM_CUSTOMERS__DORMANT_AFTER", "3d")
    monkeypatch.setattr("stream.app.bootstrap.make_plan", lambda found, _: twin_plan(found))
    events = [
        event("ann", "Order Completed", day, total=1),
        event("bo", "Order Completed", day, total=1),
        event("ann", "User Deleted", 2 * day, id="x"),
        event("ann", "Order Completed", 3 * day, total=1),
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "life.yaml").write_text("dimension: life\nfeatures: {n: {count: Order Completed}}\n"
                                      "segments: [{segment: buys, when: n >= 1}]\n")  # fmt: skip
    names = {name: str(tmp_path / name) for name in ("out", "snapshot", "summary")}
    arguments = [str(tmp_path / "events.jsonl"), "--definitions", str(folder), "--until", wire_time(5 * day)]
    arguments += [part for name, path in names.items() for part in (f"--{name}", path)]
    result = CliRunner().invoke(replay.command, arguments, standalone_mode=False)
    assert result.exception is None, result.output
    lines: list[dict[str, Any]] = [json.loads(line) for line in Path(names["out"]).read_text().splitlines()]
    told = [(one["type"].split(".")[1], one["subject"], one["time"][8:10], one["data"].get("reason")) for one in lines]
    assert told == [
        ("segment", "ann", "02", None),
        ("segment", "bo", "02", None),
        ("customer", "ann", "03", "asked"),
        ("segment", "ann", "04", None),
        ("customer", "bo", "05", "dormant"),
    ]
    assert lines[2]["data"] == {"reason": "asked", "segments": {"life": "buys"}, "messageId": "x"}
    assert json.loads(Path(names["summary"]).read_text())["forgotten"] == {"asked": 1, "dormant": 1}
    assert [json.loads(line)["customer"] for line in Path(names["snapshot"]).read_text().splitlines()] == ["ann"]

"""The API of two workers on a real Kafka: either answers for everybody, as the description says, and loses nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from tests.e2e.live import Live, by_customer, read_changes, send, small_config, wait_for
from tests.e2e.web import address, get, headers, listen

TOKEN = "a token of more than sixteen characters"  # noqa: S105
CUSTOMERS, PARTITIONS = 120, 4
#: How many orders each customer makes: up to seven, five of which make one buy often.
ORDERS = {f"c/{n} ü": n % 8 for n in range(CUSTOMERS)}
OFTEN = {customer for customer, orders in ORDERS.items() if orders >= 5}
#: First placement, and the move to `often`; who never orders is never heard of.
CHANGES = sum(1 for orders in ORDERS.values() if orders) + len(OFTEN)


def order(customer: str, n: int) -> bytes:
    """The n-th order of a customer, a minute after the one before."""
    event = {
        "messageId": f"{customer}-{n}",
        "type": "track",
        "userId": customer,
        "event": "Order Completed",
        "timestamp": f"2026-01-01T00:{n:02d}:00Z",
        "properties": {"total": 10, "order_id": f"{customer}-{n}"},
    }
    return json.dumps(event).encode()


@pytest.fixture(scope="module")
def live(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two workers that have taken all orders; one record is no JSON."""
    folder = tmp_path_factory.mktemp("web")
    settings = {**small_config(folder), "SEGSTREAM_WEB__TOKEN": TOKEN}
    found = Live(broker, f"t{folder.stat().st_ino}", folder, PARTITIONS, settings)
    try:
        found.run("topics")
        for worker in ("a", "b"):
            found.start_worker(worker)
        wait_for("all shards are ready, also where the plan has to be compiled", lambda: all_ready(found))
        events = [order(customer, n) for n in range(8) for customer, orders in ORDERS.items() if n < orders]
        send(broker, found.topic("purchases"), [b"no json", *events])
        wait_for("all are applied", lambda: applied(found) == len(events))
        yield found
    finally:
        found.stop()


def all_ready(live: Live) -> bool:
    """Whether both workers have shards, and all are ready."""
    if not all("metrics at" in live.log(worker) for worker in live.workers):
        return False
    try:
        _, told = ask(live, "a", "/workers")
    except OSError:
        return False
    states = [[shard["state"] for shard in worker["shards"]] for worker in told["workers"]]
    return len(states) == 2 and all(states) and [one for own in states for one in own] == ["ready"] * PARTITIONS


def ask(live: Live, worker: str, path: str, **more: str) -> tuple[int, Any]:
    """Status and JSON of what a worker answers to whoever has the token."""
    return get(f"{address(live, worker)}{path}", headers(live, **more))


def applied(live: Live) -> int:
    """Events applied by all shards."""
    _, told = ask(live, "a", "/workers")
    return sum(shard["books"].get("applied", 0) for worker in told["workers"] for shard in worker["shards"])


def test_any_worker_answers_for_any_customer(live: Live) -> None:
    """Both say the same; ids that have a slash, a space and an umlaut are found; who is unknown is unknown to both."""
    for customer, orders in list(ORDERS.items())[:24]:
        path = f"/customers/{quote(customer, '')}"
        if not orders:
            assert [ask(live, worker, path)[0] for worker in "ab"] == [404, 404]
            continue
        (_, one), (_, other) = (ask(live, worker, path) for worker in "ab")
        expected = {"buys": "often" if orders >= 5 else "once"}
        assert one["segments"] == other["segments"] == expected
        assert one["features"]["orders"] == orders
        _, fast = ask(live, "b", f"{path}/segments")
        since = f"2026-01-01T00:{4 if orders >= 5 else 0:02d}:00.000Z"
        assert fast["segments"] == {"buys": {"segment": expected["buys"], "since": since}}
        assert ask(live, "a", f"{path}/explain")[1]["dimensions"][0]["segment"] == expected["buys"]


def test_all_customers_are_counted_whoever_is_asked(live: Live) -> None:
    """Sizes, flows and sizes over time are those of all shards."""
    for worker in "ab":
        _, told = ask(live, worker, "/segments")
        (buys,) = told["dimensions"]
        buying = sum(1 for orders in ORDERS.values() if orders)
        sizes = {one["segment"]: one["size"] for one in buys["segments"]}
        assert (told["missing"], sizes) == ([], {"often": len(OFTEN), "once": buying - len(OFTEN), "never": 0})
        _, flows = ask(live, worker, "/flows?dimension=buys&within=24h")
        assert flows["flows"] == [
            {"from": None, "to": "once", "changes": buying},
            {"from": "once", "to": "often", "changes": len(OFTEN)},
        ]
        _, over_time = ask(live, worker, "/sizes?dimension=buys&within=1h")
        assert {name: line[-1] for name, line in over_time["sizes"].items()} == sizes
        assert len(over_time["times"]) == len(over_time["sizes"]["often"])


def test_members_are_told_once_over_all_workers(live: Live) -> None:
    """Page by page from either worker, and by the command, as CSV."""
    for worker in "ab":
        found: list[str] = []
        after: str | None = "0"
        while after is not None:
            status, page = ask(live, worker, f"/segments/buys/often/customers?limit=7&after={after}")
            assert (status, len(page["customers"]) <= 7) == (200, True)
            found += [one["customer"] for one in page["customers"]]
            after = page["next"]
        assert sorted(found) == sorted(OFTEN)
    file = live.folder / "often.csv"
    live.run("members", "buys", "often", "--out", str(file), "--worker", address(live, "a"))
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["customer"] for row in rows} == OFTEN
    assert {row["since"] for row in rows} == {"2026-01-01T00:04:00.000Z"}
    missing = live.run("members", "buys", "sometimes", "--worker", address(live, "a"), code=1)
    assert "it has often, once, never" in missing.stderr


def test_changes_of_a_customer_are_those_of_the_topic(live: Live) -> None:
    """Newest first, in pages, from either worker; who has none gets none."""
    told = by_customer(read_changes(live, CHANGES))
    assert sum(map(len, told.values())) == CHANGES
    for customer in list(ORDERS)[:16]:
        for worker in "ab":
            path = f"/customers/{quote(customer, '')}/changes"
            _, whole = ask(live, worker, path)
            assert [one["id"] for one in whole["changes"]] == [one["id"] for one in reversed(told.get(customer, []))]
            assert (whole["next"], whole["not_looked"]) == (None, None)
            _, first = ask(live, worker, f"{path}?limit=1")
            if first["next"] is not None:
                _, second = ask(live, worker, f"{path}?limit=1&before={first['next']}")
                assert [*first["changes"], *second["changes"]] == whole["changes"]


def test_listeners_go_on_elsewhere_without_loss(live: Live) -> None:
    """Cut off after every 10 changes and resumed at the other worker: each change comes once, and filters hold."""
    ids = {one["id"] for one in read_changes(live, CHANGES)}
    begin = ".".join(f"{partition}-0" for partition in range(PARTITIONS))
    found: list[str] = []
    place, worker = begin, "a"
    while len(found) < CHANGES:
        stream = listen(f"{address(live, worker)}/changes", headers(live, **{"Last-Event-ID": place}), 20.0)
        for taken, (at, change) in enumerate(stream, 1):
            found.append(change["id"])
            place = at or place
            if taken == 10 or len(found) == CHANGES:
                break
        stream.close()
        worker = "b" if worker == "a" else "a"
    assert len(found) == len(set(found))
    assert set(found) == ids
    chosen = "dimension=buys&segment=often&cause=event&after=" + begin
    stream = listen(f"{address(live, 'a')}/changes?{chosen}", headers(live), 20.0)
    often = [change for _, (_, change) in zip(range(len(OFTEN)), stream, strict=False)]
    stream.close()
    assert {change["customer"] for change in often} == OFTEN


def test_every_answer_is_as_the_description_says(live: Live) -> None:
    """Answers and refusals, each against the schema of its path and status."""
    _, document = ask(live, "a", "/openapi.json")
    customer = quote(next(iter(OFTEN)), "")
    parts = {"customer_id": customer, "dimension": "buys", "segment": "often"}
    queries = {"/flows": "?dimension=buys", "/sizes": "?dimension=buys&within=30d", "/deadletters": "?payload=1"}
    asked = []
    for path in document["paths"]:
        if path in ("/changes", "/metrics"):  # no JSON
            continue
        asked.append((path, path.format(**parts) + queries.get(path, "")))
        asked.append((path, path.format(**parts) + "?nothing=1"))
    asked += [("/flows", "/flows?dimension=nothing"), ("/customers/{customer_id}", "/customers/nobody")]
    statuses = set()
    for path, url in asked:
        status, told = ask(live, "b", url)
        content = document["paths"][path]["get"]["responses"][str(status)]["content"]
        schema = {**content["application/json"]["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(told)
        statuses.add(status)
    assert statuses == {200, 400, 404}


def test_what_was_rejected_is_told_with_its_reason(live: Live) -> None:
    """What was in it only where that is asked for."""
    _, told = ask(live, "b", "/deadletters")
    (reason,) = told["reasons"]
    assert (reason["reason"], reason["count"], "value" in reason["samples"][0]) == ("not-json", 1, False)
    _, told = ask(live, "b", "/deadletters?payload=1")
    assert told["reasons"][0]["samples"][0]["value"] == "no json"
    assert ask(live, "a", "/workers")[1]["rejects"] == {"not-json": 1}


def test_nobody_without_the_token_learns_anything(live: Live) -> None:
    """None of Faust's own pages is there either."""
    base = address(live, "a")
    for path in ("/segments", "/customers/x", "/workers", "/metrics", "/changes"):
        assert get(f"{base}{path}", {})[0] == 401
    for path in ("/table/", "/router/", "/graph", "/stats", "/performance/"):
        assert ask(live, "a", path)[0] == 404
    assert [get(f"{base}/health/{what}", {})[0] for what in ("live", "ready")] == [200, 200]


def test_bounds_hold(live: Live) -> None:
    """What asks for too much is refused with what is allowed."""
    for path in ("/segments/buys/often/customers?limit=100000", "/deadletters?limit=1000", "/changes?recent=100000"):
        status, told = ask(live, "a", path)
        assert (status, "<=" in told["error"]) == (400, True)


def test_when_a_worker_dies_the_other_says_what_it_cannot_until_it_has_taken_over(live: Live) -> None:
    """Last, since it ends a worker: partitions without an owner are named as missing, then all are counted again."""
    live.kill_worker("b")
    _, told = ask(live, "a", "/segments")
    assert told["missing"]
    wait_for("all are counted again", lambda: ask(live, "a", "/segments")[1]["missing"] == [])
    (buys,) = ask(live, "a", "/segments")[1]["dimensions"]
    assert buys["customers"] == sum(1 for orders in ORDERS.values() if orders)
    wait_for("moves are read back", lambda: moved(live) == CHANGES)
    stream = listen(f"{address(live, 'a')}/changes?recent=1", headers(live), 20.0)
    assert next(stream)[1]["dimension"] == "buys"
    assert live.stop_worker("a") == 0, "who still listens holds nobody up"
    assert list(stream) == []


def moved(live: Live) -> int:
    """Changes of the last day, by the flows."""
    _, flows = ask(live, "a", "/flows?dimension=buys&within=24h")
    return sum(flow["changes"] for flow in flows["flows"])

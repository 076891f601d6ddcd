"""Explanations for people: what a terminal shows, and what a worker is asked."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from stream.cli.explain import asked, command
from stream.cli.view.explained import draw
from stream.engine.explain import Explanation, explain
from stream.errors import UserError
from stream.events.instant import parse_iso
from stream.settings import Settings
from tests.scenes import control, publish, reworded
from tests.shards import Driver, Published, event, logs, plan_of

DAY = 86_400_000
NOON = parse_iso("2026-01-01T12:00:00Z")
FEATURES = {
    "orders": {"count": "Order Completed"},
    "since_order": {"since": "Order Completed"},
    "usual_gap": {"gap": "Order Completed", "default": "45d", "after": 3},
    "spend": {"sum": "total", "of": "Order Completed"},
    "country": {"latest": "country", "of": "Identify"},
}
LIFE = {
    "dimension": "life",
    "description": "Where they stand.",
    "features": FEATURES,
    "segments": [
        {"segment": "vip", "when": "spend >= 500 and not (orders < 3 or country == 'NO')", "stay": "60d"},
        {"segment": "at-risk", "when": "since_order >= 2 * usual_gap"},
        {"segment": "back", "when": "orders >= 1", "from": ["at-risk"], "for": "30d", "cooldown": "90d"},
        {"segment": "active", "when": "orders >= 1", "leave": "since_order > 365d"},
    ],
    "otherwise": "prospect",
}
AFTER = {
    "dimension": "mail",
    "features": FEATURES,
    "segments": [{"segment": "win-back", "when": 'segment.life == "at-risk" and segment.life.since >= 7d'}],
}


def explained(days: list[float], until: float, total: float = 50.0) -> Explanation:
    """A customer who ordered at these days, as of a later one."""
    orders = [event("4711", "Order Completed", NOON + int(d * DAY), total=total) for d in days]
    driver = Driver(plan_of(LIFE, AFTER), logs(orders, NOON + int(until * DAY))).finish()
    found = explain(driver.shard, "4711")
    assert found is not None
    return found


def shown(explanation: Explanation, zone: str = "UTC") -> str:
    """What the terminal shows."""
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(draw(explanation, ZoneInfo(zone)))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def test_each_part_shows_its_values_and_the_next_change() -> None:
    """The question of a marketer: why at risk, why not a VIP, and what comes?"""
    text = shown(explained([0], 95.5), "Europe/Vienna")
    assert "customer 4711 as of 2026-04-07 02:00:00 (Europe/Vienna)" in text
    assert "life: at-risk since 2026-04-01 14:00:00 (5d12h)" in text
    assert "✗ spend >= 500" in text
    assert "50 >= 500" in text
    assert "95d12h >= 2 * 45d = 90d" in text
    assert 'missing == "NO"  (no country yet)' in text
    assert "✓ active" in " ".join(text.split())
    assert "would hold, but at-risk comes first" in text
    assert "next, if nothing comes: win-back on 2026-04-08 14:00:00" in text
    assert 'segment.life == "at-risk"' in text
    assert '"at-risk" == "at-risk"' in text


def test_what_keeps_somebody_out_or_in_is_told() -> None:
    """``from``, ``for``, ``stay``, ``cooldown`` and ``leave`` decide beside the conditions: named, until when."""
    out = {s.segment: s for s in explained([0], 10).dimensions[0].segments}
    assert [h.text for h in out["back"].hindrances] == ["only out of at-risk; the customer is in active"]
    back = explained([0, 100], 105).dimensions[0]
    assert back.segment == "back"
    assert [(h.kind, h.until) for h in back.segments[2].hindrances] == [("for", "2026-05-11T12:00:00.000Z")]
    assert [(n.to_segment, n.at) for n in back.next][:1] == [("active", "2026-05-11T12:00:00.000Z")]
    left = explained([0, 100], 140).dimensions[0]
    assert ("cooldown", "2026-08-09T12:00:00.000Z") in [(h.kind, h.until) for h in left.segments[2].hindrances]
    vip = explained([0, 1, 2], 40, 200).dimensions[0]
    assert (vip.segment, vip.segments[0].here) == ("vip", True)
    assert [(h.kind, h.until) for h in vip.segments[0].hindrances] == [("stay", "2026-03-04T12:00:00.000Z")]
    assert vip.segments[1].hindrances[0].kind == "stay"


def test_a_stay_is_told_and_who_comes_first() -> None:
    """The stay is not all that keeps them out of a segment further down: the order does as well."""
    text = shown(explained([0, 1, 2], 40, 200))
    active = text[text.index(" active ") : text.index("otherwise")]
    assert "stay: nobody leaves vip so soon after entering it" in active
    assert "would hold, but vip comes first" in active


def test_what_began_with_later_definitions_says_so_beside_its_value() -> None:
    """A nought that only means that nobody has looked before is not taken for one."""
    later = reworded(
        LIFE,
        features=FEATURES | {"near": {"count": "Order Completed", "within": "60d"}},
        segments=[{"segment": "busy", "when": "near >= 10 and orders >= 1"}],
    )
    day = NOON + 5 * DAY
    log = logs([event("4711", "Order Completed", NOON, total=5)])
    log["control", 0] = control(publish(1, day, later), day + DAY)
    driver = Driver(plan_of(LIFE), log, plans=Published()).finish()
    found = explain(driver.shard, "4711")
    assert found is not None
    busy = found.dimensions[0].segments[0]
    assert [part.warming for part in busy.when.parts] == [{"near": "2026-01-06T12:00:00.000Z"}, {}]
    assert "0 >= 10  (warming: counts since 2026-01-06)" in shown(found)
    assert found.dimensions[0].warming == {"near": "2026-01-06T12:00:00.000Z"}
    again = msgspec.json.decode(msgspec.json.encode(found), type=Explanation)
    assert again == found


def test_who_stays_is_told_how_far_was_looked() -> None:
    """Nothing to come is said with the day up to which that is known."""
    found = explained([0, 1, 2], 400, 200)
    assert found.dimensions[0].next == []
    assert "stays until 2028-03-11 12:00:00 at least" in shown(found)


@pytest.fixture(autouse=True)
def _plain_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that steer tests are no settings."""
    for name in [name for name in os.environ if name.startswith("SEGSTREAM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def worker() -> Iterator[str]:
    """A server that knows one customer, as a worker answers."""
    body = msgspec.json.encode(explained([0], 95.5))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/customers/4711/"):
                self.send_response(307)
                self.send_header("Location", "/moved" + self.path)
                self.end_headers()
                return
            found = self.path == "/moved/customers/4711/explain?ahead=86400000"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(body if found else b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_worker_is_asked_and_followed_to_the_owner(worker: str) -> None:
    """The worker that is asked may send on to the one that has the customer."""
    answer = CliRunner().invoke(command, ["4711", "--worker", worker, "--ahead", "1d", "--json"])
    assert answer.exit_code == 0, answer.output
    assert msgspec.json.decode(answer.output, type=Explanation) == explained([0], 95.5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no/body"], "there is no customer 'no/body'"),
        (["4711", "--at", "2026-01-01"], "--at is for a replay"),
        (["4711", "--events", "x.jsonl"], "exclude each other"),
        (["4711", "--ahead", "1d", "--dimension", "lief"], "no dimension lief"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(worker: str, arguments: list[str], sentence: str) -> None:
    """A mistake is told with what to do."""
    answer = CliRunner().invoke(command, [*arguments, "--worker", worker])
    assert isinstance(answer.exception, UserError)
    assert sentence in str(answer.exception)


def test_a_silent_worker_is_told_apart() -> None:
    """Nobody there: one sentence."""
    with pytest.raises(UserError, match=r"no worker answers at http://127\.0\.0\.1:1 "):
        asked(Settings(), "http://127.0.0.1:1", "4711", DAY)

"""What a run of the benchmarks says is what it measured; and its sample and its doubles are what they are taken for."""

from __future__ import annotations

import io
import math
from datetime import datetime
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from tests.benchmarks import crowd, kafka
from tests.benchmarks.__main__ import KNOWN, PARTS, options_of, run_part
from tests.benchmarks.ground import Ground
from tests.benchmarks.results import OURS, Results
from tests.benchmarks.rivals import PeerError
from tests.benchmarks.shop import Shop
from tests.benchmarks.traffic import Traffic

ABOUT = {
    "began": "2026-01-01T00:00:00Z",
    "machine": {"cores": 2, "processor": "P", "memory_gib": 8, "system": "S"},
    "versions": {
        "java": "J", "commit": "c", "python": "3.11", "kafka": "4", "kafka-streams": "4", "ours": {}, "peers": {}
    },
}  # fmt: skip


def test_a_row_has_median_spread_and_ratio() -> None:
    """The spread is from the least to the greatest round, over the median; the ratio is to segstream's same figure."""
    results = Results()
    for ours, theirs in ((100.0, 50.0), (120.0, 60.0), (110.0, 55.0)):
        results.add("w1", OURS, "events/s", ours)
        results.add("w1", "a peer", "events/s", theirs, peak=3 << 20)
    rows = [line for line in results.markdown(ABOUT).splitlines() if line.startswith("| w1")]
    assert rows == [
        "| w1 | segstream | events/s | 110 | 18% |  |  |",
        "| w1 | a peer | events/s | 55 | 18% | 0.5x | 3 MiB |",
    ]


def test_a_single_round_has_no_spread_and_notes_are_told_once() -> None:
    """Where a figure was measured once, nothing is said about how it varies."""
    results = Results()
    results.add("scale", OURS, "events/s", 5.0)
    for _ in range(2):
        results.note("scale", "one round")
    told = results.markdown(ABOUT)
    assert "| scale | segstream | events/s | 5 |  |  |  |" in told
    assert told.count("scale: one round") == 1


def test_a_run_by_itself_has_all_parts_of_the_table_and_no_others() -> None:
    """Parts that are not in the table run where they are asked for; those that do not exist are refused."""
    assert options_of([]).parts == list(PARTS)
    assert options_of(["--only", "flood,w1"]).parts == ["flood", "w1"]
    assert "flood" in KNOWN.keys() - PARTS.keys()
    with pytest.raises(SystemExit):
        options_of(["--only", "w9"])
    with pytest.raises(SystemExit):
        options_of(["--rounds", "0"])


@pytest.mark.parametrize(("error", "wrong"), [(PeerError("stock Faust: it has not ended"), 0), (ValueError("ours"), 1)])
def test_only_wrong_results_fail_a_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, wrong: int
) -> None:
    """A peer that does not end is noted beside the figures; anything else that breaks a part off is wrong."""

    def breaks_off(_: Ground) -> None:
        raise error

    monkeypatch.setitem(KNOWN, "w1", (breaks_off, 3))
    results = Results()
    run_part(Ground("", tmp_path, tmp_path, results, Console(file=io.StringIO())), "w1")
    assert len(results.wrong) == wrong
    assert (f"w1: NOT MEASURED from here on: {error}" in results.markdown(ABOUT)) is (wrong == 0)


def test_doubles_are_other_customers_who_do_the_same_later() -> None:
    """Only the id and the instant differ: the message is another customer's, its content the same."""
    values = [
        b'{"messageId":"m1","userId":"u1","event":"E","timestamp":"2026-01-01T00:00:00.000Z","properties":{"a":1}}',
        b'{"messageId":"m2","anonymousId":"a1","event":"E","timestamp":"2026-01-01T09:00:00.000Z"}',
    ]
    found = [orjson.loads(crowd.of_double(value, 7, "2026-01-02T00:00:00.000Z")) for value in values]
    assert [crowd.customer(value) for value in values] == [b"u1", b"anonymous:a1"]
    assert [crowd.customer(orjson.dumps(one)) for one in found] == [b"u1-7", b"anonymous:a1-7"]
    for before, after in zip(map(orjson.loads, values), found, strict=True):
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {"timestamp", "userId" if "userId" in before else "anonymousId"}
        assert after["timestamp"] == "2026-01-02T00:00:00.000Z"


def test_what_is_sent_bears_the_instants_of_sending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At a rate, time passes as it does in life; without one, events keep the gaps that they have.  Nothing else of
    them changes, and time never goes back."""
    monkeypatch.setattr(kafka, "create_topics", lambda *_: None)
    ground = Ground("", tmp_path, tmp_path, Results(), Console(file=io.StringIO()))
    shop = Shop(20, 2_000)
    plain = [orjson.loads(event.value) for event in shop.simulated()][1_000:1_900]
    traffic = Traffic(ground, shop)
    traffic.last_ms = [event.instant_ms for event in traffic.next(1_000)][-1]
    begin = traffic.last_ms
    paced, gaps = traffic.to_send(500, 1_000.0), traffic.to_send(400)
    told = [orjson.loads(event.value) for event in (*paced, *gaps)]
    assert [event.instant_ms for event in paced] == [begin + k for k in range(500)]
    assert {b.instant_ms - at(a["timestamp"]) for a, b in zip(plain[500:], gaps, strict=True)} == {
        paced[-1].instant_ms - at(plain[500]["timestamp"])
    }
    for before, after, event in zip(plain, told, (*paced, *gaps), strict=True):
        assert at(after["timestamp"]) == event.instant_ms
        assert {**after, "timestamp": before["timestamp"]} == before


def at(timestamp: str) -> int:
    """Milliseconds of an instant."""
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)


def test_what_could_not_be_measured_is_no_figure() -> None:
    """A quick run may be over before anything is measured: that is said, and no zero stands in the table."""
    results = Results()
    results.add("scale", "segstream", "events/s", math.nan)
    assert not results.figures
    assert results.notes == {"scale": ["events/s: nothing was left to measure after warming up"]}

"""What a plan reads of properties: lists, times, dates, yes and no, and the properties of products."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from stream.events.batch import Batch
from stream.events.decode import Decoder
from stream.events.properties import EMPTY_LIST, LONGEST_LIST, NO_NUMBER
from stream.events.text import text_hash
from tests.shards import Record, plan_of

SCHEMA = plan_of(
    {
        "dimension": "d",
        "features": {
            "interests": {"latest": "interests", "of": "E", "as": "list"},
            "trial": {"latest": "trial_ends", "of": "E", "as": "instant"},
            "birthday": {"anniversary": "birthday", "of": "E"},
            "plan": {"latest": "plan", "of": "E"},
            "plan_number": {"latest": "plan", "of": "E", "as": "number"},
            "gift": {"latest": "gift", "of": "E"},
            "brand": {"favourite": "products.brand", "of": "E"},
            "margin": {"sum": "products.margin", "of": "E"},
            "tax": {"sum": "products.tax", "of": "E"},
        },
        "segments": [{"segment": "a", "when": "margin > 0"}],
    }
).inputs


def decode(**properties: Any) -> Batch:
    """A batch of one event."""
    made = {"event": "E", "userId": "u", "timestamp": 1_700_000_000, "properties": properties}
    return Decoder(SCHEMA).decode("clickstream", 0, [Record(0, orjson.dumps(made))], 0, 1)


def hashes(texts: list[str]) -> list[int]:
    """A list as it is kept."""
    found = sorted(map(text_hash, texts))
    return found + [0] * (LONGEST_LIST - len(found))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["sport", "art"], hashes(["art", "sport"])),
        (["sport", "sport", "", None, 5, True], hashes(["sport", "5", "true"])),
        ("sport", hashes(["sport"])),
        ([], [EMPTY_LIST, *[0] * (LONGEST_LIST - 1)]),
        (None, [0] * LONGEST_LIST),
        ("", [0] * LONGEST_LIST),
        ([f"x{k}" for k in range(20)], hashes([f"x{k}" for k in range(LONGEST_LIST)])),
    ],
)
def test_a_list(sent: Any, kept: list[int]) -> None:
    """Each text once, the first eight; an empty list is known to be empty; a single text is a list of one."""
    at = SCHEMA.lists["interests"]
    assert decode(interests=sent).texts[0, at : at + LONGEST_LIST].tolist() == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-01-31T10:15:02.125+01:00", 1_769_850_902_125),
        ("2026-01-31", 1_769_817_600_000),
        (1_769_817_600, 1_769_817_600_000),
        ("1769817600", 1_769_817_600_000),
        (None, math.nan),
        ("", math.nan),
    ],
)
def test_a_time(sent: Any, kept: float) -> None:
    """ISO 8601, a date as its midnight in UTC, or a number as for timestamps."""
    found = decode(trial_ends=sent).numbers[0, SCHEMA.instants["trial_ends"]]
    assert found == pytest.approx(kept, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("1970-01-03", 2), ("1970-01-03T23:59:00-11:00", 2), ("1969-12-31", -1), (172_800, 2), (None, math.nan)],
)
def test_a_date(sent: Any, kept: float) -> None:
    """The date that is written, whatever its zone."""
    found = decode(birthday=sent).numbers[0, SCHEMA.dates["birthday"]]
    assert found == pytest.approx(kept, abs=0, nan_ok=True)


@pytest.mark.parametrize(("sent", "kept"), [(True, "true"), (False, "false"), (1, "1"), (2.0, "2"), (2.5, "2.5")])
def test_texts_of_what_is_none(sent: Any, kept: str) -> None:
    """Yes, no and numbers read as the text that a definition would write."""
    assert decode(gift=sent).texts[0, SCHEMA.texts["gift"]] == text_hash(kept)


@pytest.mark.parametrize(("sent", "text", "number"), [("007", "007", 7.0), (7, "7", 7.0), (7.5, "7.5", 7.5)])
def test_a_property_read_in_two_ways(sent: Any, text: str, number: float) -> None:
    """One definition reads a number where another reads the text, as it was sent."""
    batch = decode(plan=sent)
    assert batch.texts[0, SCHEMA.texts["plan"]] == text_hash(text)
    assert batch.numbers[0, SCHEMA.numbers["plan"]] == number


def test_products_bring_what_is_asked_for() -> None:
    """Numbers in micros, texts as hashes; what a product does not have is told apart from nought."""
    margin, tax, brand = (
        SCHEMA.product_numbers["margin"],
        SCHEMA.product_numbers["tax"],
        SCHEMA.product_texts["brand"],
    )
    batch = decode(products=[{"product_id": "p", "margin": "0.25", "tax": 1.5, "brand": "Acme"}, {"product_id": "q"}])
    assert batch.items[0, [margin, tax, brand]].tolist() == [250_000, 1_500_000, text_hash("Acme")]
    assert batch.items[1, [margin, tax, brand]].tolist() == [NO_NUMBER, NO_NUMBER, 0]
    single = decode(product_id="p", margin=0, brand="Acme")
    assert single.items[0, [margin, tax, brand]].tolist() == [0, NO_NUMBER, text_hash("Acme")]
    assert decode().items.shape == (0, batch.items.shape[1])


@pytest.mark.parametrize(
    "properties",
    [
        {"interests": {"a": 1}},
        {"interests": [["a"]]},
        {"trial_ends": "soon"},
        {"trial_ends": True},
        {"trial_ends": {}},
        {"birthday": "31.01.2026"},
        {"birthday": [1]},
        {"plan": ["a"]},
        {"plan": "gold"},
        {"gift": {}},
        {"products": [{"margin": "much"}]},
        {"products": [{"brand": {}}]},
        {"products": [{"tax": 1e300}]},
    ],
)
def test_what_cannot_be_read_is_told(properties: dict[str, Any]) -> None:
    """The event is rejected with a reason; nothing raises."""
    batch = decode(**properties)
    assert batch.dead[0].reason == "mistyped", batch.dead
    assert batch.dead[0].detail


@pytest.mark.parametrize("name", ["trial_ends", "birthday"])
def test_a_time_beyond_all_years(name: str) -> None:
    """Rejected like a timestamp."""
    assert decode(**{name: 1e16 * 1e6}).dead[0].reason == "bad-time"

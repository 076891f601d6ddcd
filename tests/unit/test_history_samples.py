"""Each real data set in full: every line counted, and rows compared with what stands in the file."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from stream.history.mapping import load_mapping
from stream.history.reader import read_events
from stream.history.record import FileRecord
from tests.samples import mapping_file, sample

FILES = {
    "retailrocket": "retailrocket-sample.csv",
    "taobao": "taobao-sample.csv",
    "rees46": "rees46-sample.csv",
    "cdnow": "cdnow-sample.txt",
}
EVENTS = {
    "retailrocket": {"Product Viewed": 9076, "Product Added": 263, "Order Completed": 46},
    "taobao": {
        "Product Viewed": 9046,
        "Product Added": 536,
        "Product Added to Wishlist": 212,
        "Order Completed": 206,
    },
    "rees46": {"Product Viewed": 4915, "Product Added": 50, "Order Completed": 54},
    "cdnow": {"Order Completed": 6919},
}
CUSTOMERS = {"retailrocket": 5000, "taobao": 114, "cdnow": 2357}


def records(name: str, *, sort: bool = False) -> list[FileRecord]:
    return list(read_events([sample(FILES[name])], load_mapping(mapping_file(name)), sort))


@pytest.mark.parametrize("name", FILES)
def test_every_line_of_a_sample_is_an_event(name: str) -> None:
    found = records(name)
    assert [record.problem for record in found if record.problem] == []
    assert Counter(orjson.loads(record.value)["event"] for record in found) == EVENTS[name]
    if name in CUSTOMERS:
        assert len({record.key for record in found}) == CUSTOMERS[name]


@pytest.mark.parametrize("name", FILES)
def test_a_sorted_sample_is_in_the_order_of_time_and_complete(name: str) -> None:
    ordered = records(name, sort=True)
    instants = [record.timestamp_ms for record in ordered if record.timestamp_ms is not None]
    assert instants == sorted(instants)
    assert Counter(record.value for record in ordered) == Counter(record.value for record in records(name))


@pytest.mark.parametrize(
    ("name", "line", "event"),
    [
        (
            "retailrocket",
            2,  # 1433193132535,1134473,view,396045,,
            {
                "type": "track",
                "event": "Product Viewed",
                "anonymousId": "1134473",
                "timestamp": "2015-06-01T21:12:12.535Z",
                "properties": {"product_id": "396045"},
            },
        ),
        (
            "taobao",
            3,  # 999477,77460,3607361,cart,1511848951
            {
                "type": "track",
                "event": "Product Added",
                "userId": "999477",
                "timestamp": "2017-11-28T06:02:31.000Z",
                "properties": {"product_id": "77460", "category": "3607361"},
            },
        ),
        (
            "rees46",
            3,  # 2019-10-01 00:00:00 UTC,view,3900821,...,aqua,33.20,554748717,9333dfbd-...
            {
                "type": "track",
                "event": "Product Viewed",
                "userId": "554748717",
                "timestamp": "2019-10-01T00:00:00.000Z",
                "properties": {
                    "session": "9333dfbd-b87a-4708-9857-6336556b0fcc",
                    "product_id": "3900821",
                    "price": 33.2,
                    "category": "appliances.environment.water_heater",
                    "brand": "aqua",
                },
            },
        ),
        (
            "cdnow",
            2,  # 00004 0001 19970118  2   29.73
            {
                "type": "track",
                "event": "Order Completed",
                "userId": "00004",
                "timestamp": "1997-01-18T00:00:00.000Z",
                "properties": {"total": 29.73, "items": 2},
            },
        ),
    ],
)
def test_a_row_says_what_stands_in_the_file(name: str, line: int, event: dict[str, object]) -> None:
    [record] = [record for record in records(name) if record.line == line]
    assert orjson.loads(record.value) == event


def test_a_purchase_without_prices_still_names_its_product() -> None:
    """Taobao's first buy by 999618: item 1436259, category 3371868, at 1511541325 s."""
    found = [r for r in records("taobao") if r.key == b"999618" and r.timestamp_ms == 1511541325000]
    assert [orjson.loads(r.value)["properties"] for r in found if r.topic == "purchases"] == [
        {"products": [{"product_id": "1436259", "category": "3371868", "quantity": 1}]}
    ]

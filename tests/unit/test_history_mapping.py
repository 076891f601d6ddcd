"""A mapping file is checked strictly, and all its mistakes are told at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import UserError
from stream.history.mapping import Column, Fixed, OneProduct, load_mapping, parse_mapping
from tests.samples import mapping_file

GOOD = """\
format: {kind: csv, header: false, columns: [who, when, what, item, price]}
customer: {userId: who}
time: {column: when, unit: ms}
event:
  column: what
  names: {pv: Product Viewed, buy: Order Completed}
properties:
  all events: {shop: {value: 7}}
  Order Completed:
    total: {column: price, type: number}
    products: [{product_id: item, quantity: {value: 1}}]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        parse_mapping(text, "m.yaml")
    return str(caught.value).splitlines()


def test_a_good_mapping_says_what_every_column_means() -> None:
    mapping = parse_mapping(GOOD, "m.yaml")
    assert mapping.user == "who"
    assert mapping.event_names == {"pv": "Product Viewed", "buy": "Order Completed"}
    assert mapping.properties["all events"] == {"shop": Fixed(7)}
    assert mapping.properties["Order Completed"] == {
        "total": Column("price", "number"),
        "products": OneProduct({"product_id": Column("item"), "quantity": Fixed(1)}),
    }
    assert mapping.columns() == ["who", "when", "what", "price", "item"]


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace("unit: ms", "unti: ms")
        .replace("userId: who", "userId: whom")
        .replace("type: number", "type: nubmer")
    )
    found = mistakes(text)
    assert [line.split(": ")[0] for line in found] == ["m.yaml:2:20", "m.yaml:3:7", "m.yaml:3:22", "m.yaml:10:34"]
    assert "did you mean 'who'?" in found[0]
    assert "did you mean 'unit'?" in found[2]
    assert "did you mean 'number'?" in found[3]


@pytest.mark.parametrize(
    ("before", "after", "place", "says"),
    [
        ("kind: csv", "kind: cvs", "1:16", "did you mean 'csv'?"),
        ("header: false, ", "", "1:30", "header: false"),
        (", columns: [who, when, what, item, price]", "", "1:29", "needs 'columns'"),
        ("item, price]", "item, item, price]", "1:69", "given twice"),
        ("unit: ms", 'format: "%H:%M"', "3:30", "year, month and day"),
        ("unit: ms", "format: iso, zone: Europe/Berln", "3:41", "no time zone"),
        ("unit: ms", "unit: ms, zone: UTC", "3:38", "no meaning with a unit"),
        ("unit: ms", "unit: ms, format: iso", "3:7", "either 'unit'"),
        ("  Order Completed:", "  Order Complete:", "9:3", "did you mean 'Order Completed'?"),
        ("products: [{", "products: {products: [{", "12:1", "not YAML"),
        ("total: {column: price, type: number}", "total: {type: number}", "10:12", "either 'column' or 'value'"),
        ("products: [{product_id: item, quantity: {value: 1}}]", "products: item", "11:15", "list of one product"),
        ("{value: 7}", "{value: }", "8:29", "must be a text, a number"),
        ("customer: {userId: who}", "customer: {}", "2:11", "userId or anonymousId"),
        ("customer: {userId: who}\n", "", "1:1", "needs 'customer'"),
        ("event:\n", "event:\n  name: Order Completed\n", "5:3", "either 'name'"),
        ("csv,", "jsonl,", "1:31", "no meaning where kind is jsonl"),
        ("kind: csv", 'kind: csv, delimiter: ";;"', "1:32", "one character"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(before: str, after: str, place: str, says: str) -> None:
    assert before in GOOD
    found = mistakes(GOOD.replace(before, after, 1))
    assert any(line.startswith(f"m.yaml:{place}: ") and says in line for line in found), found


@pytest.mark.parametrize("text", ["", "just words", "[1, 2]", "a: &a {b: *c}", "\t:"])
def test_what_is_no_mapping_at_all_is_one_sentence(text: str) -> None:
    assert all(line.startswith("m.yaml:") for line in mistakes(text))


def test_a_mapping_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no mapping file"):
        load_mapping(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["retailrocket", "taobao", "rees46", "cdnow"])
def test_the_mappings_that_come_with_the_package_are_right(name: str) -> None:
    assert load_mapping(mapping_file(name)).columns()

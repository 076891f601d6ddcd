"""A version of the model of lifetimes: what is published is read again, and what is broken is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream.features.predicted import PURCHASES, SPEND
from stream.learners.control import Published, chain_of, read_version
from stream.predict.lifetime_model import LifetimeModel

PLAIN: dict[str, Any] = {"version": 1, "effective": 1_000, "r": 0.25, "alpha": 4e8, "a": 0.8, "b": 2.4}
WITH_SPEND = PLAIN | {"p": 6.25, "q": 3.74, "gamma": 15.44e6}


def test_what_is_written_is_read_again_also_with_fields_of_a_later_release() -> None:
    """The control topic keeps versions for ever, and several releases read it."""
    model = LifetimeModel(**WITH_SPEND, correlation=0.11, unknown=("a",), trainer=msgspec.Raw(b'{"x":1}'))
    record = msgspec.json.decode(model.to_json()) | {"later": True}
    assert read_version(msgspec.json.encode(record)) == model
    assert chain_of(model) == "the model lifetime"


def test_numbers_are_by_name_and_none_where_one_is_not_known() -> None:
    """So a feature of value has nothing to go by where no order had a value; one of purchases has."""
    with_spend, plain = LifetimeModel(**WITH_SPEND), LifetimeModel(**PLAIN)
    assert with_spend.numbers((*SPEND, "a")) == [6.25, 3.74, 15.44e6, 0.8]
    assert plain.numbers(PURCHASES) == [0.25, 4e8, 0.8, 2.4]
    assert plain.numbers((*PURCHASES, *SPEND)) is None
    assert plain.numbers(("later",)) is None
    assert (plain.spend, with_spend.purchases.r) == (None, 0.25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 0},
        {"r": 0.0},
        {"alpha": 1e300},
        {"a": 1e300},
        {"b": 1e-320},
        {"a": "much"},
        {"p": 1.0},
        {"p": 1.0, "q": 1.0, "gamma": 1.0},
    ],
)
def test_a_broken_version_is_refused_in_one_sentence(wrong: dict[str, Any]) -> None:
    """No shard may go by it."""
    with pytest.raises(ValueError, match="broken lifetime model: ") as found:
        LifetimeModel.from_json(msgspec.json.encode({"type": "lifetime"} | PLAIN | wrong))
    assert "\n" not in str(found.value)


def test_the_newest_is_the_one_with_the_highest_number() -> None:
    """A trainer goes on from it."""
    published = Published()
    for version in (1, 3, 2):
        published.add("control", LifetimeModel(**(PLAIN | {"version": version})).to_json())
    assert (published.broken, published.lifetime) == ([], LifetimeModel(**(PLAIN | {"version": 3})))

"""What a learned dimension may say, and what it is told where it says something else."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from stream.plan.definitions import Learning, parse_definitions
from stream.plan.problems import DefinitionError


def file(learn: dict[str, Any], **more: Any) -> str:
    """A learned dimension."""
    features = {"orders": {"count": "Order Completed"}}
    learn = {"clusters": 3, "vector": {"orders": "orders"}} | learn
    return yaml.safe_dump({"dimension": "d", "features": features, "learn": learn} | more, sort_keys=False)


def learning(**learn: Any) -> Learning:
    """What is made of it."""
    found = parse_definitions({"d.yaml": file(learn)}).dimensions[0].learning
    assert found is not None
    return found


def test_a_number_of_clusters_or_a_range() -> None:
    """A customer's row has room for twice the most."""
    assert (learning().range, learning().places) == ((3, 3), 6)
    ranged = learning(clusters={"from": 2, "to": 9})
    assert (ranged.range, ranged.places) == ((2, 9), 18)


def test_a_margin_and_words() -> None:
    """Words are prose: another word is no other definition."""
    assert learning().margin == 0.1
    assert learning(margin="0%").margin == 0
    assert learning(margin="12.5%").margin == 0.125
    assert learning(words={"orders": ["few", "many"]}).words == {"orders": ("few", "many")}
    plain, worded = (
        parse_definitions({"d.yaml": file(learn)}).dimensions[0] for learn in ({}, {"words": {"orders": ["a", "b"]}})
    )
    assert plain.version == worded.version
    assert plain.version != parse_definitions({"d.yaml": file({"margin": "11%"})}).dimensions[0].version


@pytest.mark.parametrize(
    ("learn", "more", "message"),
    [
        ({"clusters": 0}, {}, "'clusters' is a number from 1 to 256, or a range"),
        ({"clusters": {"from": 9, "to": 2}}, {}, "exchange them"),
        ({"clusters": {"from": 2}}, {}, "'to' is missing"),
        ({"clusters": {"from": 2, "to": 257}}, {}, "from 1 to 256"),
        ({"margin": "100%"}, {}, "from 0% to below 100%"),
        ({"margin": 0.1}, {}, "such as 10%"),
        ({"words": {"ordrs": ["few", "many"]}}, {}, "no part 'ordrs' in 'vector'; did you mean 'orders'"),
        ({"words": {"orders": ["few"]}}, {}, "expected two words"),
        ({"every": "0s"}, {}, "longer than nothing"),
        ({}, {"otherwise": "rest"}, "'otherwise' says nothing beside 'learn'"),
        ({}, {"segments": [{"segment": "a", "when": "orders > 1"}]}, "'segments' says nothing beside 'learn'"),
        ({}, {"every": "1h"}, "'every' says nothing beside 'learn'"),
    ],
)
def test_mistakes_are_told(learn: dict[str, Any], more: dict[str, Any], message: str) -> None:
    """Nothing that is written is passed over."""
    with pytest.raises(DefinitionError) as caught:
        parse_definitions({"d.yaml": file(learn, **more)})
    assert message in str(caught.value)

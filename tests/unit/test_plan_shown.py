"""Conditions written back as text say what was written."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given

from stream.features.base import Kind, Shape
from stream.plan.expressions import parse_condition
from stream.plan.tree import Condition, FeatureRef
from stream.plan.words import show
from tests.depth import examples
from tests.drawn.dimensions import dimensions
from tests.shards import definitions

OTHERS = {"e": ("a", "b"), "buying-style": ("habitual", "impulsive")}


class Names:
    """A few names of every type."""

    kinds = {  # noqa: RUF012 - never changed
        "orders": Kind.NUMBER,
        "spend": Kind.MONEY,
        "since_order": Kind.DURATION,
        "usual_gap": Kind.DURATION,
        "country": Kind.TEXT,
        "interests": Kind.TEXTS,
    }

    def view(self, feature: str, view: str) -> tuple[Kind, Shape] | None:
        return (self.kinds[feature], Shape.CONSTANT) if feature in self.kinds and view in ("", "mean") else None

    def features(self) -> list[str]:
        return list(self.kinds)

    def views(self, feature: str) -> list[str]:
        return ["mean"]

    def segments(self, dimension: str) -> tuple[str, ...] | None:
        return OTHERS.get(dimension)

    def dimensions(self) -> list[str]:
        return list(OTHERS)


def placeless(node: Condition) -> str:
    """A tree without the columns it was read from."""
    return re.sub(r"at=\d+", "", repr(node)).replace("value=-0.0", "value=0.0")


SENTENCES = (
    "since_order >= 2 * usual_gap",
    "orders >= 1 and (spend >= 500 or spend.mean >= 49.9) and not orders == 3",
    "(orders + 1) * 2 - (orders - (1 - orders)) / 4 >= -3",
    "spend / orders / 2 >= 12.5",
    "log1p(spend) + sqrt(orders / 2) > abs(orders - 5)",
    'country in ("DK", "SE") or country != "NO"',
    'segment.e == "a" and segment.buying_style.before not in ("habitual", "impulsive")',
    "segment.buying_style.since >= 1d12h",
    '"sport" in interests and "chess" not in interests',
    'share("spring-test") < 10% and known(country) and not known(segment.e)',
    "spend in top 20% or since_order in bottom 12.5%",
    "quintile(spend) == 4 or decile(orders) == 3 or quartile(since_order) == 2",
    "not (orders >= 1 and orders < 3)",
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_was_written_is_written_again(sentence: str) -> None:
    """Word for word, brackets only where they are needed."""
    assert show(parse_condition(sentence, Names())) == sentence


@examples(60)
@given(dimensions(memory=False))
def test_what_is_written_means_the_same(made: list[dict[str, Any]]) -> None:
    """Read again, it gives the same tree."""
    first = definitions(*made)
    whens = {d.name: [show(segment.when) for segment in d.segments] for d in first.dimensions}
    again = [
        {
            **one,
            "segments": [
                {**rule, "when": when} for rule, when in zip(one["segments"], whens[one["dimension"]], strict=True)
            ],
        }
        for one in made
    ]
    for one, other in zip(first.dimensions, definitions(*again).dimensions, strict=True):
        assert [placeless(s.when) for s in one.segments] == [placeless(s.when) for s in other.segments]


def test_values_stand_in_place_of_names() -> None:
    """What ``put`` gives is written instead, and takes no brackets."""
    node = parse_condition("2 * (orders + 1) >= orders", Names())
    assert show(node, lambda part: "7" if isinstance(part, FeatureRef) else None) == "2 * (7 + 1) >= 7"

"""The condition language: how it reads, which types meet, and where a mistake stands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.durations import format_duration
from stream.features.base import Kind, Shape
from stream.plan.expressions import ExpressionError, parse_condition, parse_number
from stream.plan.tree import Compare, Condition, Cut, FeatureRef, Junction, Literal, Not, OneOf, SegmentRef, walk

DAY = 86_400_000
VIEWS = {
    ("orders", ""): (Kind.NUMBER, Shape.CONSTANT),
    ("ago", ""): (Kind.DURATION, Shape.LINEAR),
    ("spend", ""): (Kind.MONEY, Shape.CONSTANT),
    ("spend", "mean"): (Kind.MONEY, Shape.CONSTANT),
    ("country", ""): (Kind.TEXT, Shape.CONSTANT),
    ("interests", ""): (Kind.TEXTS, Shape.CONSTANT),
}
SEGMENTS = {"lifecycle": ("new", "at-risk"), "loyalty-matrix": ("a", "b")}


class Words:
    """A dimension's names."""

    def view(self, feature: str, view: str) -> tuple[Kind, Shape] | None:
        return VIEWS.get((feature, view))

    def features(self) -> list[str]:
        return sorted({feature for feature, _ in VIEWS})

    def views(self, feature: str) -> list[str]:
        return [view for name, view in VIEWS if name == feature and view]

    def segments(self, dimension: str) -> tuple[str, ...] | None:
        return SEGMENTS.get(dimension)

    def dimensions(self) -> list[str]:
        return list(SEGMENTS)


def parsed(text: str) -> Condition:
    """The tree of a condition."""
    return parse_condition(text, Words())


def mistake(text: str) -> tuple[int, str]:
    """Where it is wrong, from 0, and what is said."""
    with pytest.raises(ExpressionError) as error:
        parsed(text)
    return error.value.column, error.value.message


def sides(text: str) -> tuple[object, object]:
    """Both sides of a comparison."""
    found = parsed(text)
    assert isinstance(found, Compare)
    return found.left, found.right


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1000 * DAY))
def test_a_duration_is_a_literal(ms: int) -> None:
    """Any duration as people write it stands for its milliseconds."""
    text = f"ago >= {format_duration(ms)}"
    assert sides(text)[1] == Literal(float(ms), Kind.DURATION, 7)


def test_an_amount_may_be_a_bare_number() -> None:
    """Beside money, a number is whole units of the currency; micros inside."""
    for text in ("spend >= 12.5", "12.5 <= spend"):
        literal = next(side for side in sides(text) if isinstance(side, Literal))
        assert (literal.value, literal.kind) == (12_500_000.0, Kind.MONEY)
    assert isinstance(sides("spend.mean > 1")[0], FeatureRef)


def test_and_binds_stronger_than_or_and_not_strongest() -> None:
    """As in Python."""
    found = parsed("orders > 1 or not orders > 2 and orders > 3")
    assert isinstance(found, Junction)
    assert found.op == "or"
    right = found.parts[1]
    assert isinstance(right, Junction)
    assert (right.op, type(right.parts[0])) == ("and", Not)


def test_a_chain_is_both_comparisons() -> None:
    """``1 <= orders < 3``."""
    found = parsed("1 <= orders < 3")
    assert isinstance(found, Junction)
    assert [part.op for part in found.parts if isinstance(part, Compare)] == ["<=", "<"]


@pytest.mark.parametrize(
    ("text", "texts", "negated"),
    [
        ('country == "DK"', ("DK",), False),
        ('"DK" == country', ("DK",), False),
        ('country != "DK"', ("DK",), True),
        ('country in ("DK", "30d")', ("DK", "30d"), False),
        ("country not in ['DK']", ("DK",), True),
    ],
)
def test_texts(text: str, texts: tuple[str, ...], negated: bool) -> None:
    """One text or some; a duration in quotes is a text."""
    found = parsed(text)
    assert isinstance(found, OneOf)
    assert (found.texts, found.negated) == (texts, negated)


def test_segments_of_other_dimensions() -> None:
    """A hyphen in a dimension's name is written as an underscore."""
    found = parsed('segment.loyalty_matrix == "a"')
    assert isinstance(found, OneOf)
    assert found.subject == SegmentRef("loyalty-matrix", 0)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("ordrs > 1", 0, "there is no feature 'ordrs'; did you mean 'orders'?"),
        ("orders > 1 and spend.maen > 1", 15, "'spend' has no 'maen'; did you mean 'mean'?"),
        ('country == "Ærø" and ordrs > 1', 21, "there is no feature 'ordrs'"),
        ("ago > 2d and ago > 3", 19, "a duration cannot be compared with a number; write a duration such as 30d"),
        ("  ago > 1h and\n ordrs > 1", 16, "there is no feature 'ordrs'"),
        ('segment.lifecyle == "new"', 0, "there is no dimension 'lifecyle'; did you mean 'lifecycle'?"),
        ('segment.lifecycle == "old"', 0, "dimension 'lifecycle' has no segment 'old'"),
        ('country > "DK"', 10, "a text is compared with == or !="),
        ('orders == "DK"', 0, "a number cannot be compared with a text"),
        ("country in DK", 11, "write the texts in brackets"),
        ("country > 1", 0, "a number, a duration or an amount is needed here"),
        ('country + 1 > "x"', 0, "a number, a duration or an amount is needed here, not a text"),
        ('interests == "sport"', 0, "'interests' keeps several texts: `\"sport\" in interests`"),
        ('"sport" in country', 11, "`in` needs a list of texts here, not a text"),
        ("orders - ago > 1", 0, "a duration cannot be subtracted from a number"),
        (
            "segment.lifecycle > 1",
            0,
            "a number, a duration or an amount is needed here, not the segment",
        ),
        ("segment.lifecycle.sinse > 1d", 0, "the segment of a dimension has no 'sinse'; did you mean 'since'?"),
        (
            "segment.lifecycle.since > 3",
            26,
            "a duration cannot be compared with a number; write a duration such as 30d",
        ),
        ('segment.lifecycle.before == "gone"', 0, "dimension 'lifecycle' has no segment 'gone'"),
        ('segment == "new"', 0, "say of which dimension: `segment.lifecycle`"),
        ("share(orders) < 10%", 6, "share() takes a name of your own in quotes"),
        ('share("x") < 10', 13, "a share lies between 0% and 100%; write for instance `10%`"),
        ('share("x") < 10d', 13, "a number cannot be compared with a duration"),
        ("spend in top 120%", 0, "a part of the customers is more than 0% and less than 100%"),
        ("spend in upper 20%", 15, "this cannot be read as a condition"),
        ("spend > top 20%", 8, "a part of the customers stands after `in`: `spend in top 20%`"),
        ("country in top 20%", 0, "a number, a duration or an amount is needed here, not a text"),
        ("quintile(spend) >= 6", 0, "quintile() is a whole number from 1 (the lowest values) to 5"),
        ("quintile(spend) >= 1", 0, "this is always true: quintile() is a whole number from 1 to 5"),
        ("quintile(spend) > orders", 0, "quintile() is compared with whole numbers"),
        ("quintile(spend) + 1 > 2", 0, "quintile() is compared with a whole number"),
        ("known(orders > 1)", 6, "known() asks whether a value is missing; this is a condition"),
        ("known(orders, ago)", 0, "known() takes one thing in its brackets"),
        ("orders is 1", 0, "compare with ==, !=, <, <=, >, >=, in or not in"),
        ("orders", 0, "this is a number, not a condition; compare it"),
        ("orders > True", 9, "True is not a number"),
        ("orders + ago > 1", 0, "a number cannot be added to a duration"),
        ("ago * ago > 1", 0, "a duration cannot be multiplied with a duration"),
        ("spend / ago > 1", 0, "an amount of money cannot be divided by a duration"),
        ("sqrt(ago) > 1", 5, "a plain number is needed here, not a duration"),
        (
            "exp(orders) > 1",
            0,
            "'exp' is not a function here; known are: abs, decile, known, log1p,",
        ),
        ("orders > 10 and 1e999 > orders", 16, "this number is too large"),
        ("orders > 1" + "0" * 400, 9, "this number is too large"),
        ("ago > 1d2d", 6, "this cannot be read as a condition"),
        ("orders > 1 and", 11, "something is missing behind `and`"),
        ("", 0, "nothing stands here; write for instance `orders >= 3`"),
        ("__import__('os').system('x') > 1", 0, "this is not part of the language"),
        ("orders if 1 else 2 > 1", 0, "this is not part of the language"),
        ("(x := 1) > 0", 1, "this is not part of the language"),
        ("orders ** 2 > 1", 0, "this is not part of the language"),
        ("f'{orders}' == 'x'", 0, "this is not part of the language"),
    ],
)
def test_mistakes_stand_where_they_are(text: str, column: int, words: str) -> None:
    """The column counts characters, also behind letters of other alphabets."""
    at, message = mistake(text)
    assert words in message
    if "cannot be read" not in words:
        assert at == column


#: What shares of the customers become: comparisons with cuts, in words.
SHARES = [
    ("spend in top 20%", ["spend > 80%"]),
    ("spend in bottom 12.5%", ["spend <= 12.5%"]),
    ("spend not in top 20%", ["spend <= 80%"]),
    ("spend not in bottom 20%", ["spend > 20%"]),
    ("quintile(spend) >= 4", ["spend > 60%"]),
    ("4 <= quintile(spend)", ["spend > 60%"]),
    ("quintile(spend) < 2", ["spend <= 20%"]),
    ("quintile(spend) == 3", ["spend > 40%", "spend <= 60%"]),
    ("quintile(spend) != 1", ["spend > 20%"]),
    ("quartile(spend) in (2, 3)", ["spend > 25%", "spend <= 75%"]),
    ("decile(spend) not in (1, 2, 3)", ["spend > 30%"]),
    ("decile(spend) in (1, 10)", ["spend <= 10%", "spend > 90%"]),
]


@pytest.mark.parametrize(("text", "comparisons"), SHARES)
def test_shares_of_customers_are_comparisons_with_cuts(text: str, comparisons: list[str]) -> None:
    """A quintile is one more than the number of cuts that the value is above; top 20% is above the cut at 80%."""
    found = [
        f"{node.left.feature} {node.op} {node.right.share * 100:g}%"
        for node in walk(parsed(text))
        if isinstance(node, Compare) and isinstance(node.right, Cut) and isinstance(node.left, FeatureRef)
    ]
    assert found == comparisons


def test_all_mistakes_at_once() -> None:
    """Those that do not follow from one another, by column."""
    with pytest.raises(ExpressionError) as error:
        parsed('ordrs > 1 and (ago > 3 or not cuntry == "DK") and spend + ago > 2 and orders >= 1')
    assert [column for column, _ in error.value.found] == [0, 21, 30, 50]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="orders ago>=<()andt1d.'\"+-*/\n#{}[]:,%topknw", max_size=30))
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever an operator types: a tree, or a mistake with a column inside the text."""
    for parse in (parse_condition, parse_number):
        found: ExpressionError | None = None
        try:
            parse(text, Words())
        except ExpressionError as error:
            found = error
        if found is not None:
            assert 0 <= found.column <= max(len(text), 1)
            assert found.message


@pytest.mark.parametrize("after", [" and orders >= 1", " or spend > 1", "\n  and orders >= 1", ""])
def test_a_percentage_may_stand_before_a_word_of_the_language(after: str) -> None:
    """`20%` is a share wherever no operand follows it; Python would take the sign for a remainder."""
    found = parsed(f"orders / 3 >= 20%{after}")
    left = found.parts[0] if isinstance(found, Junction) else found
    assert isinstance(left, Compare)
    assert left.right == Literal(0.2, Kind.NUMBER, 14)

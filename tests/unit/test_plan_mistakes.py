"""What newcomers get wrong in definitions: each is told where it stands, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.app.definition_files import read_texts
from stream.plan.definitions import parse_definitions
from stream.plan.problems import DefinitionError

GOOD = """\
dimension: d
features:
  orders: {count: Order Completed}
  week: {count: Product Viewed, within: 7d}
  after: {count: Product Viewed, after: Order Completed}
  ago: {since: Order Completed}
  spend: {sum: total, of: Order Completed}
  country: {latest: country, of: Identify}
  fav: {favourite: category, of: Product Viewed}
segments:
  - segment: a
    when: CONDITION
"""


def told(text: str) -> str:
    """All that is said of this file, or nothing where it is good."""
    try:
        parse_definitions({"a.yaml": text})
    except DefinitionError as error:
        return str(error)
    return ""


def of_condition(condition: str) -> str:
    """The same of a file with this condition, without the place."""
    said = told(GOOD.replace("CONDITION", condition))
    assert len(said.splitlines()) == 1, said
    return said


TOO_LONG = "is too long: a duration is at most 1000 years (365250d)"


@pytest.mark.parametrize("key", ["stay", "cooldown", "every"])
def test_durations_of_a_segment_have_an_end(key: str) -> None:
    """What is longer than a thousand years fits no column, so it is told before anything runs."""
    good = GOOD.replace("CONDITION", "orders >= 1")
    assert told(f"{good}    {key}: 365250d\n") == ""
    assert f"a.yaml:13:{7 + len(key)}: '99999999999999d' {TOO_LONG}" in told(f"{good}    {key}: 99999999999999d\n")
    assert TOO_LONG in told(f"{good}    {key}: {'9' * 5000}d\n")


def test_windows_have_an_end() -> None:
    """In a feature as in a segment."""
    text = GOOD.replace("CONDITION", "orders >= 1").replace("7d", "365250d1ms")
    assert f"a.yaml:4:41: '365250d1ms' {TOO_LONG}" in told(text)


@pytest.mark.parametrize(
    "condition",
    ["ago >= 99999999999999d", "ago >= 365250d * 2", "ago > 1d / 0.000001", "orders > 1 and ago < 365251d"],
)
def test_durations_of_conditions_have_an_end(condition: str) -> None:
    """As written, and as worked out of what is written."""
    assert "too long: a duration is at most 1000 years (365250d)" in of_condition(condition)


@pytest.mark.parametrize(("feature", "line"), [("week", 4), ("after", 5)])
@pytest.mark.parametrize("condition", ["{} > 1001", "{} >= 5000", "{} > 10000000", "orders > 1 or 1e200 < {}"])
def test_a_count_goes_no_further_than_it_could_be_told_to(feature: str, line: int, condition: str) -> None:
    """So many instants are kept of every customer: the end of ``up_to`` holds where conditions say how far."""
    said = of_condition(condition.format(feature))
    assert said.startswith(f"a.yaml:{line}:")
    assert f"{feature!r} is compared with " in said
    assert "; make it at most 1000: so many are kept of each customer" in said
    assert told(GOOD.replace("CONDITION", f"{feature} >= 1000")) == ""


def test_deep_nesting_is_one_sentence() -> None:
    """However deep."""
    assert told("[" * 3000 + "]" * 3000) == (
        "a.yaml:1:1: this is nested too deeply to be a definition; a few levels are enough"
    )


def test_whole_numbers_have_an_end() -> None:
    """Python itself refuses to read the longest."""
    good = GOOD.replace("CONDITION", "orders >= 1")
    assert "expected a whole number of at most 9 digits" in told(f"minimum_size: {'9' * 5000}\n{good}")


def test_amounts_have_an_end() -> None:
    """Micros of it must be a number still."""
    assert "this amount is too large" in of_condition("spend > 1e305")


SLIPS = [
    ("orders => 3", 8, "write `>=` instead of `=>`"),
    ("orders =< 3", 8, "write `<=` instead of `=<`"),
    ("orders = 3", 8, "write `==` instead of `=`"),
    ("orders <> 3", 8, "write `!=` instead of `<>`"),
    ("orders > 1 && ago > 1d", 12, "write `and` instead of `&&`"),
    ("orders > 1 || ago > 1d", 12, "write `or` instead of `||`"),
    ("orders > 1 AND ago > 1d", 12, "write `and` in small letters"),
    ("orders > 1 OR ago > 1d", 12, "write `or` in small letters"),
    ("(orders > 1 and ago > 1d", 1, "this `(` is not closed"),
    ("orders > 1) and ago > 1d", 11, "this `)` closes nothing"),
    ("orders > 1 and", 12, "something is missing behind `and`"),
    ("orders >", 8, "something is missing behind `>`"),
    ("ago > 30 days", 7, "write the duration `30 days` as `30d`"),
    ("ago > 2w", 7, "write the duration `2w` as `14d`"),
    ("ago > 2 weeks and orders > 1", 7, "write the duration `2 weeks` as `14d`"),
    ("spend > 50 EUR", 9, "write an amount without its currency: `50`"),
    ("spend > 50€", 9, "write an amount without its currency: `50`"),
    ("spend in the top 20%", 10, "leave out `the`: `spend in top 20%`"),
    ("top 20% of orders", 1, "write `orders in top 20%`"),
    ("orders between 1 and 3", 1, "write `1 <= orders <= 3`"),
    ('country == "DK', 12, "this quote is not closed"),
    ("", 1, "nothing stands here; write for instance `orders >= 3`"),
]


@pytest.mark.parametrize(("condition", "column", "sentence"), SLIPS)
def test_a_slip_is_told_with_what_to_write_instead(condition: str, column: int, sentence: str) -> None:
    """Where it stands; in YAML a condition begins in the eleventh column."""
    said = of_condition(condition)
    assert sentence in said
    if condition:
        assert said.startswith(f"a.yaml:12:{10 + column}: ")


def test_what_stands_in_quotes_is_no_slip() -> None:
    """Another mistake is told as before."""
    assert "cannot be read as a condition" in of_condition('country == "a && b = 2w" country')


def test_filters_know_the_same_slips() -> None:
    """With an example of their own."""
    text = GOOD.replace("CONDITION", "orders > 1")
    assert "write `and` instead of `&&`" in told(
        text.replace("{count: Order Completed}", "{count: Order Completed, where: 'total > 1 && total < 5'}")
    )
    assert 'write for instance `category == "shoes"`' in told(
        text.replace("{count: Order Completed}", "{count: Order Completed, where: ''}")
    )


MISREAD = [
    ("orders in top -5%", 11, "a part of the customers is more than 0% and less than 100%"),
    ("orders in top -5% and ago > 1d", 11, "a part of the customers is more than 0% and less than 100%"),
    ("orders in []", 11, "nothing stands in these brackets"),
    ("country == shoes", 12, 'put texts in quotes: `"shoes"`'),
    ("shoes == country", 1, 'put texts in quotes: `"shoes"`'),
    ("fav != running-shoes", 8, 'put texts in quotes: `"running-shoes"`'),
    ("segment.d.before == a", 21, 'put texts in quotes: `"a"`'),
    ("true", 1, "there is no feature 'true'; a condition asks something of the customer"),
    ("1 < 2", 1, "this is the same for everyone: no feature stands in it"),
    ("orders > 1 or 30d > 2d", 15, "this is the same for everyone: no feature stands in it"),
    ("orders / 0 > 1", 10, "nothing can be divided by 0"),
    ("spend >= 20%", 10, "an amount of money cannot be compared with a percentage; for a part of the customers"),
    ("20% < ago", 1, "a duration cannot be compared with a percentage; for a part of the customers"),
    ("fav.share > 50", 13, "'.share' lies between 0% and 100%; write for instance `50%`"),
    ("fav.variety > 80", 15, "'.variety' lies between 0% and 100%; write for instance `80%`"),
    ("fav.switching > 101", 17, "'.switching' lies between 0% and 100%; write for instance `50%`"),
]


@pytest.mark.parametrize(("condition", "column", "sentence"), MISREAD)
def test_what_reads_well_and_means_nothing_is_told(condition: str, column: int, sentence: str) -> None:
    """Such a condition was let through, or blamed on something else."""
    said = of_condition(condition)
    assert said.startswith(f"a.yaml:12:{10 + column}: ")
    assert sentence in said


def test_every_text_without_quotes_is_told() -> None:
    """Each where it stands."""
    said = told(GOOD.replace("CONDITION", "country in (DK, SE)")).splitlines()
    assert said == [
        'a.yaml:12:23: put texts in quotes: `"DK"`',
        'a.yaml:12:27: put texts in quotes: `"SE"`',
    ]


@pytest.mark.parametrize("condition", ["fav.share > 50%", "fav.share >= 1", "spend in top 20%", "orders > 0 / 1"])
def test_what_is_near_a_mistake_and_none(condition: str) -> None:
    """Shares up to the whole, parts of the customers."""
    assert told(GOOD.replace("CONDITION", condition)) == ""


@pytest.mark.parametrize(
    ("feature", "place", "sentence"),
    [
        ("x: {}", "3:6", "say what this feature is, for instance {count: Order Completed}"),
        ("x: {count: []}", "3:14", "the name of an event is missing here"),
        ("x: {count: }", "3:13", "the name of an event is missing here"),
        ("and: {count: X}", "3:3", "'and' cannot be a feature's name: it has a meaning of its own; take another"),
        ("2x: {count: X}", "3:3", "'2x' cannot be a feature's name: use letters, digits and _"),
        ("x: {count: X, les: Y}", "3:17", "'les' is not a key here; did you mean 'less'?"),
    ],
)
def test_a_wrong_feature_is_told_where_it_is_wrong(feature: str, place: str, sentence: str) -> None:
    """At the key, where the key is wrong."""
    text = GOOD.replace("CONDITION", "orders > 1").replace("features:\n", f"features:\n  {feature}\n")
    [said] = told(text).splitlines()
    assert sentence in said
    assert said.startswith(f"a.yaml:{place}: ")


def test_a_name_is_suggested_once() -> None:
    """However often it stands there."""
    text = GOOD.replace("CONDITION", "orders > 1") + "  - {segment: a, when: ago > 1d, from: zzz}\n"
    assert "there is no segment 'zzz' here; known are: a\n" in told(text) + "\n"


def test_circles_are_told_beside_other_mistakes() -> None:
    """One run shows everything there is to mend."""
    d = GOOD.replace("CONDITION", 'segment.e == "a"')
    e = GOOD.replace("dimension: d", "dimension: e").replace("CONDITION", 'segment.d == "a"')
    with pytest.raises(DefinitionError) as error:
        parse_definitions({"d.yaml": d, "e.yaml": e + "  - {segment: b, when: ordrs > 1}\n"})
    assert "there is no feature 'ordrs'" in str(error.value)
    assert "these dimensions depend on each other: " in str(error.value)


def test_files_that_cannot_be_read_are_told_beside_other_mistakes(tmp_path: Path) -> None:
    """None is passed over, and none hides the others."""
    (tmp_path / "a.yml").write_text(GOOD.replace("CONDITION", "orders > 1"))
    (tmp_path / "b.yaml").write_bytes("# caf\xe9\n".encode("latin-1"))
    (tmp_path / "c.yaml").write_text(GOOD.replace("CONDITION", "ordrs > 1"))
    (tmp_path / "d.yaml").mkdir()
    with pytest.raises(DefinitionError) as error:
        read_texts(tmp_path)
    said = str(error.value).replace(f"{tmp_path}/", "").splitlines()
    assert said == [
        "a.yml:1:1: definitions end in .yaml; rename this file",
        "b.yaml:1:1: this is not UTF-8 text (byte 6: invalid continuation byte); save it as UTF-8",
        "c.yaml:12:11: there is no feature 'ordrs'; did you mean 'orders'?",
        "d.yaml:1:1: cannot be read: Is a directory",
    ]

"""Definitions: what is read from YAML, every mistake with its place, and a fingerprint of meaning alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from stream.features.bag import Bag
from stream.features.count_within import CountWithin
from stream.plan.definitions import Definitions, parse_definitions
from stream.plan.plan import twin_plan
from stream.plan.problems import DefinitionError

CATALOGUE = Path(__file__).parents[2] / "config" / "segments"
GOOD = """\
dimension: d
description: Words.
owner: More words.
features:
  orders: {count: Order Completed}
  week: {count: Product Viewed, within: 7d}
  ago: {since: Order Completed}
  country: {latest: country, of: Identify}
segments:
  - segment: a
    when: orders >= 2 and week >= 3
    note: Why.
  - segment: b
    when: ago >= 30d
    from: a
    for: 7d
    topic: t
otherwise: c
"""


def message(*texts: str) -> str:
    """What is said of these files, called a.yaml, b.yaml, ..."""
    with pytest.raises(DefinitionError) as error:
        twin_plan(parse_definitions({f"{'abc'[k]}.yaml": text for k, text in enumerate(texts)}))
    return str(error.value)


def version(text: str) -> str:
    """The fingerprint of a file's one dimension."""
    return parse_definitions({"a.yaml": text}).dimensions[0].fingerprint


BROKEN = [
    ("dimension: d\n\tx: 1\n", "a.yaml:2:1: this is not valid YAML: found character '\\t' that cannot start any token"),
    (
        "a: \x00\n",
        "a.yaml:1:1: this is not valid YAML: unacceptable character #x0000: special characters are not allowed",
    ),
    (GOOD.replace("    from: a\n", ""), "'for' ends a stay, so say with 'from' who may enter"),
    (GOOD.replace("within: 7d", "within: 7d, up_to: 2"), "'week' is compared with 3 but counts only 'up_to: 2'"),
    (
        GOOD.replace("{count: Order Completed}", "{count: Product Updated}"),
        "'Product Updated' happens to products, not to customers",
    ),
    ("", "a.yaml:1:1: the file is empty; a definition starts with 'dimension: NAME'"),
    (GOOD.replace("orders >= 2", "ordrs >= 2"), "a.yaml:11:11: there is no feature 'ordrs'; did you mean 'orders'?"),
    (
        GOOD.replace("orders >= 2 and", 'country == "Ærø" and ordrs >= 1 and'),
        "a.yaml:11:32: there is no feature 'ordrs'; did you mean 'orders'?",
    ),
    (
        GOOD.replace("ago >= 30d", "ago >= 30"),
        "a.yaml:14:18: a duration cannot be compared with a number; write a duration such as 30d",
    ),
    (GOOD.replace("  - segment: b", "  - segmnt: b"), "'segment' is missing here"),
    (GOOD.replace("for: 7d", "four: 7d"), "a.yaml:16:5: 'four' is not a key here; did you mean 'for'?"),
    (GOOD.replace("for: 7d", "for: 7 days"), "a.yaml:16:10: '7 days' is not a duration"),
    (GOOD.replace("from: a", "from: x"), "a.yaml:15:11: there is no segment 'x' here; known are: a, b, c"),
    (GOOD.replace("otherwise: c", "otherwise: none"), "a.yaml:18:12: no segment may be called 'none'"),
    (GOOD.replace("otherwise: c", "otherwise: a"), "a.yaml:18:12: segment 'a' stands here twice"),
    (GOOD.replace("otherwise: c", "otherwise:"), "a segment needs a name"),
    (
        GOOD.replace("{count: Order Completed}", "{cuont: Order Completed}"),
        "a.yaml:5:12: 'cuont' is not a kind of feature",
    ),
    (GOOD.replace("within: 7d", "within: 0d"), "a.yaml:6:41: 'within' must be more than 0"),
    (GOOD.replace("latest: country", "latest: a country"), "a.yaml:8:21: 'a country' is not a property"),
    (GOOD.replace("  orders:", "  event:"), "a.yaml:5:3: 'event' cannot be a feature's name"),
    (GOOD.replace("  orders:", "  not:"), "a.yaml:5:3: 'not' cannot be a feature's name"),
    (GOOD.replace("week >= 3", "week >= orders"), "a.yaml:6:9: say how far 'week' has to count"),
    (GOOD.replace("week >= 3", "week >= 1e999"), "a.yaml:11:35: this number is too large"),
    (GOOD.replace("week >= 3", "not " * 1500 + "week >= 3"), "nested too deeply"),
    (GOOD.replace("orders >= 2", "ago * ago >= 2"), "a duration cannot be multiplied with a duration"),
    (
        GOOD.replace("orders >= 2", "orders"),
        "a.yaml:11:11: a condition is needed here, not a number",
    ),
    (
        GOOD.replace("orders >= 2", "eval(orders) >= 2"),
        "a.yaml:11:11: 'eval' is not a function here; known are:",
    ),
    (GOOD.replace("orders >= 2", "orders.n >= 2"), "a.yaml:11:11: 'orders' has no 'n'"),
    (GOOD.replace("orders >= 2", "orders ** 2 >= 2"), "this is not part of the language"),
    (GOOD.replace("orders >= 2", 'segment.e == "a"'), "a.yaml:11:11: there is no dimension 'e'; known are: d"),
    (GOOD.replace("orders >= 2", "orders >= "), "this cannot be read as a condition"),
    ("dimension: d\nlearn: {clusters: 3}\n", "a.yaml:2:8: 'vector' is missing here"),
    (GOOD.replace("owner:", "zone: Europe/Berlni\nowner:"), "a.yaml:3:7: 'Europe/Berlni' is not a time zone such as"),
    (GOOD.replace("owner:", "zone: Europe/Berlni\nowner:"), "; did you mean 'Europe/Berlin'?"),
    (GOOD.replace("owner:", "stay: 0d\nowner:"), "a.yaml:3:7: 'stay' must be longer than nothing"),
    (GOOD.replace("owner:", "minimum_size: many\nowner:"), "a.yaml:3:15: expected a whole number, not 'many'"),
    (
        GOOD.replace("for: 7d", "for: 7d\n    stay: 8d"),
        "a.yaml:16:10: 'for' ends the stay before 'stay' lets",
    ),
    (GOOD.replace("for: 7d", "for: 7d\n    cooldwn: 8d"), "'cooldwn' is not a key here; did you mean 'cooldown'?"),
    (
        GOOD.replace("owner:", "among: orders >= 1\nowner:"),
        "a.yaml:3:8: no condition here speaks of a share of customers (`spend in top 20%`), so 'among' says nothing",
    ),
    (
        GOOD.replace("owner:", "among: ago in top 5%\nowner:").replace("orders >= 2", "orders in top 20%"),
        "a.yaml:3:8: 'among' says of whom shares are taken, so it cannot speak of shares itself",
    ),
    (GOOD.replace("week >= 3", "week in top 20%"), "a.yaml:6:9: say how far 'week' has to count"),
    (GOOD.replace("orders >= 2", "orders in top 20"), "a.yaml:11:21: write the share of the customers in percent"),
    (GOOD.replace("orders >= 2", "quintile(orders) > 5"), "a.yaml:11:11: this is never true: quintile() is a whole"),
    (GOOD.replace("orders >= 2", "country"), "a.yaml:11:11: a condition is needed here, not a text"),
    (
        GOOD.replace("orders >= 2", "sqrt(ago / 1d) >= 2"),
        "a.yaml:11:11: when this comparison changes by itself cannot be worked out: it has sqrt() of something that "
        "moves with time; say with 'every: 1h' how often to look",
    ),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_a_mistake_is_told_with_its_place(text: str, expected: str) -> None:
    """File, line, column, what is wrong and what was perhaps meant."""
    assert expected in message(text)


def test_all_mistakes_of_all_files_at_once() -> None:
    """One run shows everything there is to mend."""
    one = GOOD.replace("orders >= 2", "ordrs >= 2").replace("7d}", "7x}")
    told = message(one, GOOD.replace("dimension: d", "dimension: e").replace("for: 7d", "for: x"))
    assert [line.split(": ")[0] for line in told.splitlines()] == ["a.yaml:6:41", "a.yaml:11:11", "b.yaml:16:10"]


def test_all_mistakes_of_one_condition_at_once() -> None:
    """Each with its own column; what follows from another mistake is not told."""
    told = message(GOOD.replace("orders >= 2", "(ordrs >= 2 or ago >= 3 or -cuntry + 1 > 2 or country > orders)"))
    assert [line.split(": ")[0] for line in told.splitlines()] == [
        "a.yaml:11:12",  # no feature 'ordrs'
        "a.yaml:11:33",  # a duration beside a number
        "a.yaml:11:39",  # no feature 'cuntry'
        "a.yaml:11:57",  # a text beside a number
    ]


def test_the_good_file_is_good() -> None:
    """Else the broken ones would prove nothing."""
    dimension = parse_definitions({"a.yaml": GOOD}).dimensions[0]
    assert dimension.segment_names == ("a", "b", "c")
    assert (dimension.segments[1].came_from, dimension.segments[1].lasts) == (("a",), 7 * 86_400_000)
    assert dimension.version == f"d@{dimension.fingerprint}"


def test_one_dimension_in_two_files() -> None:
    """Names are unique over all files."""
    assert "b.yaml:1:12: dimension 'd' is defined in a.yaml too; rename one" in message(GOOD, GOOD)


def test_dimensions_that_depend_on_each_other_are_refused() -> None:
    """Changes at one instant go by dependency, so there must be an order."""
    other = GOOD.replace("dimension: d", "dimension: e").replace("orders >= 2", 'segment.d == "a"')
    assert "these dimensions depend on each other: " in message(GOOD.replace("orders >= 2", 'segment.e == "a"'), other)


def test_dependencies_come_first_then_names() -> None:
    """Whatever the files are called."""
    free = {name: GOOD.replace("dimension: d", f"dimension: {name}") for name in "zyx"}
    free["a"] = GOOD.replace("dimension: d", "dimension: a").replace("orders >= 2", 'segment.y == "a"')
    found = parse_definitions({f"{k}.yaml": text for k, text in enumerate(free.values())} | {})
    assert [d.name for d in found.dimensions] == ["x", "y", "z", "a"]


@pytest.mark.parametrize(
    ("when", "slots"),
    [
        ("week >= 3", 4),
        ("week > 3", 4),
        ("week == 3", 4),
        ("2 <= week <= 5", 6),
        ("week >= 2.5", 3),
        ("week >= 3 or week < 9", 10),
    ],
)
def test_a_window_counts_as_far_as_it_is_asked(when: str, slots: int) -> None:
    """State is bounded by what the conditions compare with, plus one."""
    week = parse_definitions({"a.yaml": GOOD.replace("week >= 3", when)}).dimensions[0].features["week"]
    assert isinstance(week, CountWithin)
    assert len(week.columns()) == slots


SAME = [
    GOOD.replace("Words.", "Other words."),
    GOOD.replace("More words.", "Someone."),
    GOOD.replace("note: Why.", "note: Because."),
    GOOD.replace("orders >= 2 and week >= 3", "orders>=2   and (week >= 3)"),
    GOOD.replace("30d", "720h"),
    GOOD.replace("topic: t", "topic: u"),
    "# A comment.\n" + GOOD,
    GOOD.replace("owner:", "minimum_size: 500\nowner:"),
    yaml.safe_dump(yaml.safe_load(GOOD)),
]
OTHER = [
    GOOD.replace("orders >= 2", "orders > 2"),
    GOOD.replace("orders >= 2", "orders >= 3"),
    GOOD.replace("30d", "31d"),
    GOOD.replace("within: 7d", "within: 8d"),
    GOOD.replace("from: a", "from: c"),
    GOOD.replace("for: 7d", "for: 8d"),
    GOOD.replace("otherwise: c", "otherwise: e"),
    GOOD.replace("dimension: d", "dimension: e"),
    GOOD.replace("    from: a\n    for: 7d\n", ""),
    GOOD.replace("count: Order Completed", "count: Order Refunded"),
    GOOD.replace("    for: 7d", "    leave: ago < 1d\n    for: 7d"),
    GOOD.replace("    for: 7d", "    stay: 1d\n    for: 7d"),
    GOOD.replace("    for: 7d", "    cooldown: 1d\n    for: 7d"),
    GOOD.replace("owner:", "stay: 1d\nowner:"),
    GOOD.replace("owner:", "every: 1d\nowner:"),
    GOOD.replace("orders >= 2", "orders in top 20%"),
    GOOD.replace("orders >= 2", "orders in top 20%").replace("owner:", "among: orders >= 1\nowner:"),
]


@pytest.mark.parametrize("text", SAME)
def test_prose_and_formatting_do_not_move_the_fingerprint(text: str) -> None:
    """Else every comment would judge all customers anew."""
    assert version(text) == version(GOOD)


def test_meaning_moves_the_fingerprint() -> None:
    """Every change names the definition that it was made by."""
    assert len({version(text) for text in [GOOD, *OTHER]}) == len(OTHER) + 1


def catalogue() -> Mapping[str, str]:
    """The shipped files."""
    return {file.name: file.read_text() for file in CATALOGUE.glob("*.yaml")}


def test_the_catalogue_holds_what_the_product_promises() -> None:
    """Dimensions and segments by name; every segment that has a topic says why."""
    found: Definitions = parse_definitions(catalogue())
    names = {d.name: set(d.segment_names) for d in found.dimensions}
    assert names["lifecycle"] >= {"new", "active", "at-risk", "lapsed", "reactivated"}
    assert names["usage"] >= {"light", "moderate", "heavy"}
    assert names["frequency"] >= {"occasional", "regular", "frequent"}
    journey = {"awareness", "interest", "consideration", "intent", "purchase", "retention", "advocacy"}
    assert names["journey"] == journey
    assert {"wishlist-ready", "abandoned"} <= names["wishlist"] | names["cart"]
    assert {"at-risk", "reactivated", "wishlist-ready"} <= set(found.topics())
    assert all(s.note for d in found.dimensions for s in d.segments if s.topic)
    assert any(isinstance(a, Bag) for d in found.dimensions for a in d.features.values())


def test_two_learned_dimensions_are_refused() -> None:
    """A shard keeps one model."""
    learned = "dimension: {}\nfeatures:\n  n: {{count: X}}\nlearn: {{clusters: 2, vector: {{n: n}}}}\n"
    assert "only one dimension can learn" in message(learned.format("a"), learned.format("b"))


@pytest.mark.parametrize(
    "when",
    [
        "rate >= other",
        "rate + other > 2",
        "rate >= ago / 1d",
        "sqrt(rate) > 1",
        "log1p(ago / 1d) > 1",
        "rate * ago > 2d",
    ],
)
def test_a_crossing_without_a_known_form_is_refused_with_a_reason(when: str) -> None:
    """design: Truth has an expiry date."""
    rates = "  rate: {rate: X, half_life: 1d}\n  other: {rate: Y, half_life: 2d}\n"
    text = GOOD.replace("features:\n", f"features:\n{rates}").replace("orders >= 2 and week >= 3", when)
    assert "when this comparison changes by itself cannot be worked out: it has" in message(text)

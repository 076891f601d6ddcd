"""Durations are exact milliseconds, read and written without loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0s", 0),
        ("25ms", 25),
        ("5m", 300_000),
        ("2s", 2_000),
        ("12h", 43_200_000),
        ("30d", 2_592_000_000),
        ("2d12h", 216_000_000),
        ("1m500ms", 60_500),
        (" 90m ", 5_400_000),
    ],
)
def test_reads_what_people_write(text: str, ms: int) -> None:
    """Each unit has its length, and parts add up."""
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["", "5", "d", "1.5h", "-3d", "5 m", "12h2d", "1d1d", "3w", "5min", "1h30", "5M"])
def test_refuses_anything_else(text: str) -> None:
    """A missing, unknown or repeated unit, a wrong order, fractions and signs: refused, with the form to use."""
    with pytest.raises(ValueError, match=r"is not a duration: write .* such as 30d"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_round_trip_is_exact(ms: int) -> None:
    """Whatever is written is read back as the same number of milliseconds."""
    assert parse_duration(format_duration(ms)) == ms


def test_format_uses_the_longest_units_first() -> None:
    """Text is as short as it can be and has no zero parts."""
    assert format_duration(216_000_000) == "2d12h"
    assert format_duration(0) == "0s"
    assert format_duration(999) == "999ms"
    with pytest.raises(ValueError, match="negative"):
        format_duration(-1)

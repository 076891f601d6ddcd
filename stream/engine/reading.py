"""The value of one feature of one row, outside the kernels: for who asks about a customer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream.engine.rows import Rows
from stream.features.base import Accumulator
from stream.features.propensity import Input, Propensity, chance_of, log_odds
from stream.plan.header import Models


def read(
    rows: Rows,
    i: int,
    accumulator: Accumulator,
    function: Callable[..., Any],
    now: int,
    models: Models | None,
    *more: Any,
) -> Any:
    """A function of the accumulator applied to a row at an instant, by these versions of what is learned (None: none).

    Of a prediction its probability, whatever the function.
    """
    layout, ints = rows.plan.layout, rows.table.ints[i]
    if isinstance(accumulator, Propensity):
        (numbers,) = layout.arguments(accumulator, ints, models)
        return chance_of([_input(rows, i, one, now, models) for one in accumulator.inputs], numbers)
    rest = (rows.bags,) if accumulator.word == "bag" else layout.arguments(accumulator, ints, models)
    return function(ints, rows.table.floats[i], layout.base[accumulator], now, *more, *rest)


def _input(rows: Rows, i: int, one: Input, now: int, models: Models | None) -> float:
    value = float(read(rows, i, one.feature, one.feature.views()[one.view].value, now, models))
    return log_odds(value) if one.odds else value

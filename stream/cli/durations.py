"""Options that are a length of time: ``30d``, ``1h30m``."""

from __future__ import annotations

import click

from stream.durations import parse_duration


class DurationType(click.ParamType):
    """Whole milliseconds."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A number is taken as it is: it was converted before."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = DurationType()

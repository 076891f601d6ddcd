"""A progress bar on stderr; silent where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


class Report(Protocol):
    """Tells how far the work has come."""

    def __call__(self, done: float | None, text: str) -> None:
        """``done`` is a share from 0 to 1, None where the whole is not known."""


@contextmanager
def progress_bar(what: str) -> Iterator[Report]:
    """A bar with a text beside it."""
    console = Console(stderr=True)
    columns = (
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, text="")

        def report(done: float | None, text: str) -> None:
            bar.update(task, total=None if done is None else 1.0, completed=done or 0.0, text=text)

        yield report

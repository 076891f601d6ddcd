"""The demo's own folder: emptied at each start, held by one demo at a time, and never a folder of somebody else's."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.errors import UserError

_MARK = "made-by-segstream-demo"


@contextmanager
def fresh_folder(data: Path) -> Iterator[Path]:
    """``data/demo``, empty; what an earlier demo left there is gone. `UserError` where another demo runs on it."""
    folder = data / "demo"
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "demo.lock").open("ab")
    except OSError as error:
        raise UserError(f"{data} cannot be used: {error.strerror or error}; choose a folder with --data") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another demo runs on {data}: stop it, or choose another folder with --data") from error
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).exists():
            raise UserError(f"{folder} was not made by a demo, which empties it: choose another folder with --data")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        (folder / _MARK).touch()
        yield folder

"""Reads the definitions that commands work by."""

from __future__ import annotations

from pathlib import Path

from stream.errors import UserError
from stream.plan.definitions import Definitions, parse_definitions


def read_definitions(folder: Path) -> Definitions:
    """All ``*.yaml`` in the folder, one dimension a file; mistakes in any of them are one `UserError`."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise UserError(f"no definitions in {folder}: expected one or more *.yaml files")
    texts: dict[str, str] = {}
    for file in files:
        try:
            texts[str(file)] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    return parse_definitions(texts)

"""Reads what operators write beside the settings: definitions, and names of other vocabularies."""

from __future__ import annotations

from pathlib import Path

import yaml

from stream.errors import UserError
from stream.plan.definitions import Definitions, parse_definitions


def read_definitions(folder: Path, zone: str = "UTC") -> Definitions:
    """All ``*.yaml`` in the folder, one dimension a file; mistakes in any of them are one `UserError`.

    ``zone`` is the time zone (IANA) of dimensions that name none; the settings say it.
    """
    return parse_definitions(read_texts(folder), zone)


def read_texts(folder: Path) -> dict[str, str]:
    """Path -> text of all ``*.yaml`` in the folder; there must be one."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise UserError(f"no definitions in {folder}: expected one or more *.yaml files")
    texts: dict[str, str] = {}
    for file in files:
        try:
            texts[str(file)] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    return texts


def read_aliases(config_dir: Path) -> dict[str, str]:
    """Other vocabularies' event names -> ours, from every file in ``aliases/`` beside the settings."""
    found: dict[str, str] = {}
    for file in sorted((config_dir / "aliases").glob("*.yaml")):
        try:
            names = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"{file}: cannot be read as YAML: {error}") from error
        if not isinstance(names, dict) or not all(isinstance(v, str) for pair in names.items() for v in pair):
            raise UserError(f"{file}: expected lines like 'add_to_cart: Product Added'")
        found |= names
    return found

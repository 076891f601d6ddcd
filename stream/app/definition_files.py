"""Reads what operators write beside the settings: definitions, and names of other vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from stream.errors import UserError
from stream.plan.definitions import Definitions, Once, parse_definitions
from stream.settings import Settings


def read_definitions(folder: Path, settings: Settings | None = None) -> Definitions:
    """All ``*.yaml`` in the folder, one dimension a file; mistakes in any of them are one `UserError`.

    The settings (where there are none, their defaults) say what definitions leave open: :func:`in_settings`.
    """
    texts = read_texts(folder)
    return parse_definitions(texts) if settings is None else in_settings(texts, settings)


def in_settings(files: Mapping[str, str], settings: Settings) -> Definitions:
    """Definitions from name -> text, by the settings: the time zone of dimensions that name none (or the trait that
    names each customer's own), and which events count once."""
    orders = settings.orders
    return parse_definitions(files, settings.time.calendar, once=Once(orders.once, orders.by, orders.remember))


def read_texts(folder: Path) -> dict[str, str]:
    """Path -> text of all ``*.yaml`` in the folder; there must be one.

    A file that cannot be read, or that only nearly has this ending, is told together with the mistakes of all others.
    """
    texts: dict[str, str] = {}
    refused = {str(file): "definitions end in .yaml; rename this file" for file in sorted(folder.glob("*.yml"))}
    for file in sorted(folder.glob("*.yaml")):
        try:
            texts[str(file)] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            refused[str(file)] = f"this is not UTF-8 text (byte {error.start + 1}: {error.reason}); save it as UTF-8"
        except OSError as error:
            refused[str(file)] = f"cannot be read: {error.strerror or error}"
    if refused:
        parse_definitions(texts, refused=refused)
    if not texts:
        raise UserError(f"no definitions in {folder}: expected one or more *.yaml files")
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

"""Finds and reads ``stream.yaml``, and turns every mistake in it, or in the environment, into one clear line."""

from __future__ import annotations

import difflib
import os
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from stream.errors import UserError

FILE_NAME = "stream.yaml"
#: Variables that carry the prefix of the settings without being one.
CONFIG_VARIABLE = "SEGSTREAM_CONFIG"
OTHER_VARIABLES = frozenset({CONFIG_VARIABLE, "SEGSTREAM_TEST_BROKER", "SEGSTREAM_TEST_DATA"})

Location = tuple[str | int, ...]
T = TypeVar("T", bound=BaseSettings)


def shipped_config() -> Path:
    """The configuration that comes with the package: in a wheel inside it, in a checkout beside it."""
    package = Path(__file__).resolve().parent
    inside = package / "config"
    return inside if inside.is_dir() else package.parent / "config"


def find_config(explicit: Path | None) -> Path:
    """The folder that holds stream.yaml: the one given, ``$SEGSTREAM_CONFIG``, ``./config`` or the shipped one."""
    variable = os.environ.get(CONFIG_VARIABLE)
    named = explicit or (Path(variable) if variable else None)
    if named is None:
        local = Path("config")
        return local.resolve() if (local / FILE_NAME).is_file() else shipped_config()
    if not (named / FILE_NAME).is_file():
        source = "" if explicit else f" (from {CONFIG_VARIABLE})"
        raise UserError(f"no {FILE_NAME} in {named}{source}: name a folder that has one, or copy {shipped_config()}")
    return named.resolve()


def read_settings(model: type[T], file: Path, prefix: str) -> T:
    """``model`` from the file with the environment over it; all mistakes at once as a `UserError`."""
    values, lines, mistakes = _read_yaml(file)
    mistakes += list(_unknown_variables(model, prefix))
    try:
        variables = EnvSettingsSource(model)()
        settings = model(**values)
    except SettingsError as error:
        raise UserError(f"environment: {error}; expected JSON in that variable") from error
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            mistakes.append(_sentence(model, detail, file, lines, variables, prefix))
    else:
        if not mistakes:
            return settings
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    raise UserError(f"{count} in the settings:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))


def _read_yaml(file: Path) -> tuple[dict[str, Any], dict[Location, int], list[str]]:
    """The file's values, the line of each key, and mistakes of form (a key given twice)."""
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: expected UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{mark.line + 1}" if mark else f"{file}"
        raise UserError(f"{where}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{file}: not YAML: {str(error).splitlines()[0]}") from error
    lines: dict[Location, int] = {}
    mistakes: list[str] = []
    if node is not None:
        if not isinstance(values, dict):
            raise UserError(f"{file}: expected sections such as kafka: and topics:, found {values!r}")
        for location, line in _key_lines(node, ()):
            if location in lines:
                key = _dotted(location)
                mistakes.append(
                    f"{file}:{line}: {key}: is there twice, first in line {lines[location]}: keep one of them"
                )
            lines[location] = line
    # A section whose keys are all commented out reads as null, which is meant as "nothing set here".
    return {key: value for key, value in (values or {}).items() if value is not None}, lines, mistakes


def _key_lines(node: yaml.Node, above: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            location = (*above, str(key.value))
            yield location, key.start_mark.line + 1
            yield from _key_lines(value, location)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*above, index), value.start_mark.line + 1
            yield from _key_lines(value, (*above, index))


def _unknown_variables(model: type[BaseSettings], prefix: str) -> Iterator[str]:
    """Variables with our prefix that name no section; those within a section are found by the model itself."""
    known = {prefix + "__".join(path).upper() for path in _paths(model)}
    sections = tuple(f"{prefix}{name}".upper() for name in model.model_fields)
    for name in sorted(os.environ):
        if not name.upper().startswith(prefix) or name in OTHER_VARIABLES:
            continue
        upper = name.upper()
        if upper not in known and not any(upper == section or upper.startswith(f"{section}__") for section in sections):
            yield f"environment variable {name}: unknown{_suggestion(upper, known)}"


def _paths(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from ((name, *path) for path in _paths(inner))
        else:
            yield (name,)


def _sentence(
    model: type[BaseModel],
    detail: ErrorDetails,
    file: Path,
    lines: Mapping[Location, int],
    variables: Mapping[str, Any],
    prefix: str,
) -> str:
    """One mistake: where it is, its key, and what is expected."""
    location = detail["loc"]
    if _holds(variables, location):
        where = f"environment variable {prefix}{'__'.join(str(part).upper() for part in location)}"
    else:
        line = next((lines[location[:end]] for end in range(len(location), 0, -1) if location[:end] in lines), None)
        where = f"{file}:{line}: {_dotted(location)}" if line else f"{file}: {_dotted(location)}"
    return f"{where}: {_expected(model, detail)}"


def _expected(model: type[BaseModel], detail: ErrorDetails) -> str:
    location, context = detail["loc"], detail.get("ctx", {})
    secret = "password" in str(location[-1])
    found = "" if secret or isinstance(detail["input"], dict | list | BaseModel) else f", found {detail['input']!r}"
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{_suggestion(str(location[-1]), _keys_at(model, location[:-1]))}"
        case "value_error":
            text = str(context["error"])
            return text + ("" if "found" in text or not text.startswith("expected") else found)
        case "int_type" | "int_parsing" | "int_from_float":
            return f"expected a whole number{found}"
        case "bool_type" | "bool_parsing":
            return f"expected true or false{found}"
        case "string_type":
            return f"expected text{found}"
        case "literal_error":
            return f"expected {context['expected']}{found}"
        case "greater_than_equal":
            return f"expected {context['ge']} or more{found}"
        case "greater_than":
            return f"expected more than {context['gt']}{found}"
        case "less_than_equal":
            return f"expected {context['le']} or less{found}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"expected keys with values{found}"
        case "tuple_type" | "list_type":
            return f"expected a list{found}"
    return f"{detail['msg'][0].lower()}{detail['msg'][1:]}{found}"


def _keys_at(model: type[BaseModel], location: Location) -> Sequence[str]:
    """The keys a section may have; an element of a dict of sections is found through the dict's value type."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[str(part)].annotation
        else:
            current = typing.get_args(current)[-1]
    return list(current.model_fields)


def _suggestion(word: str, known: typing.Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f", did you mean {close[0]}?" if close else f"; expected one of {', '.join(sorted(known))}"


def _holds(values: Mapping[str, Any], location: Location) -> bool:
    """Whether this nested mapping has something at that place."""
    current: Any = values
    for part in location:
        if not isinstance(current, dict) or not isinstance(part, Hashable) or part not in current:
            return False
        current = current[part]
    return bool(location)


def _dotted(location: Location) -> str:
    return ".".join(str(part) for part in location)

"""The kinds of values that settings are made of: durations, names of topics, addresses, zones, traits, currencies."""

from __future__ import annotations

import keyword
import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict

from stream.durations import parse_duration


def _duration(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a duration such as 30d, 1h30m or 25ms")
    if isinstance(value, int):
        raise ValueError(f"expected a duration with its unit, such as {value}s or {value}ms")
    return parse_duration(value)


def _topic_name(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", value) or value in {".", ".."}:
        raise ValueError("expected a topic name: letters, digits, '.', '_' or '-', at most 249 of them")
    return value


def addresses(value: object) -> object:
    """Brokers as one text, ``host:port`` with commas between; ValueError where it is none."""
    parts = value.split(",") if isinstance(value, str) else []
    good = [part for part in parts if re.fullmatch(r"\s*(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}\s*", part)]
    if not parts or len(good) != len(parts):
        raise ValueError("expected host:port, or several with commas between, such as 10.0.0.1:9092,10.0.0.2:9092")
    return ",".join(part.strip() for part in parts)


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected a time zone of the IANA list, such as UTC or Europe/Vienna") from error
    return value


def _trait(value: object) -> object:
    if not isinstance(value, str) or not (value == "" or (value.isidentifier() and not keyword.iskeyword(value))):
        raise ValueError("expected the name of a trait: letters, digits and _, such as timezone")
    return value


def _currency(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("expected a currency of three capital letters, such as EUR")
    return value


#: int milliseconds, written like 30d, 12h or 25ms
Duration = Annotated[int, BeforeValidator(_duration, json_schema_input_type=str)]
TopicName = Annotated[str, BeforeValidator(_topic_name)]
Addresses = Annotated[str, BeforeValidator(addresses)]
Zone = Annotated[str, BeforeValidator(_zone)]
Trait = Annotated[str, BeforeValidator(_trait)]
Currency = Annotated[str, BeforeValidator(_currency)]


class Section(BaseModel):
    """A part of the settings: no unknown keys, no changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

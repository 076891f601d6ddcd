"""``zone:`` of a dimension: one time zone for all customers, or the trait that names each one's own."""

from __future__ import annotations

import yaml

from stream.events.names import IDENTIFY
from stream.features.known_zone import names
from stream.features.own_zone import OwnZone
from stream.plan.document import Mapping, Value
from stream.plan.feature_keys import Keys
from stream.plan.problems import suggest


def read_zone(value: Value, default: str | OwnZone) -> str | OwnZone:
    """A zone, or how each customer's own is known; ``default`` is that of dimensions that say nothing."""
    if isinstance(value.node, yaml.ScalarNode):
        return _one(value)
    mapping = value.mapping()
    mapping.only("trait", "of", "else")
    if mapping.require("trait") is None:
        return "UTC"
    return _own(mapping, default if isinstance(default, str) else default.other)


def _own(mapping: Mapping, default: str) -> OwnZone:
    keys, other = Keys(mapping, default), mapping.get("else")
    return OwnZone(keys.text("trait"), keys.names("of") or (IDENTIFY,), _one(other) if other else default)


def _one(value: Value) -> str:
    name = value.text()
    if name in names():
        return name
    value.wrong(f"{name!r} is not a time zone such as Europe/Berlin{suggest(name, names(), list_all=False)}")
    return "UTC"

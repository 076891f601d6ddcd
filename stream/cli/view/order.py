"""In which order dimensions are shown, where there is not room for all."""

from __future__ import annotations

from stream.plan.definitions import Definitions


def shown_first(definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """Dimension -> its segments; first those with most topics, which somebody waits for; then by name."""
    order = sorted(definitions.dimensions, key=lambda d: (-sum(bool(s.topic) for s in d.segments), d.name))
    return {dimension.name: dimension.segment_names for dimension in order}

"""How far random tests look: as far as each says, times ``SEGSTREAM_TEST_DEPTH`` (1; ``make test-deep``: 50)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings

DEPTH = int(os.environ.get("SEGSTREAM_TEST_DEPTH", "1"))
#: Why an example fails is left to the reader: finding that out traces every line, for minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
Test = TypeVar("Test", bound=Callable[..., Any])


def examples(count: int) -> Callable[[Test], Test]:
    """So many random examples, and deeper more; slow ones are no mistake on a busy machine.  A failure prints how to
    have the same example again."""
    found = settings(
        max_examples=count * DEPTH,
        deadline=None,
        phases=PHASES,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )

    def deep(test: Test) -> Test:
        marked: Test = pytest.mark.deep(pytest.mark.timeout(600 * DEPTH)(found(test)))
        return marked

    return deep

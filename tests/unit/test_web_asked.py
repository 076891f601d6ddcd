"""What is asked wrongly is refused with what was expected."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from stream.web.endpoint import asked
from stream.web.feed import FeedQuery
from stream.web.history import ChangesQuery
from stream.web.refusal import RefusalError
from stream.web.segments import FlowsQuery


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (FlowsQuery, "dimension=d&within=3h", "within: expected 1h, 7d, 24h or 30d"),
        (FlowsQuery, "", "dimension is missing: what can be asked for here is dimension, within"),
        (FeedQuery, "cause=time", "cause: expected event, model, deadline or definition"),
        (FeedQuery, "colour=red", "colour is unknown: what can be asked for here is"),
        (ChangesQuery, "before=x", "before: send `next` of the answer before as it came, or leave it out to begin"),
    ],
)
def test_a_mistake_is_told_with_what_was_expected(kind: type[Any], given: str, said: str) -> None:
    """Whoever asked need not look it up."""
    with pytest.raises(RefusalError) as refused:
        asked(make_mocked_request("GET", f"/?{given}"), kind)
    assert (refused.value.status, refused.value.sentence.startswith(said)) == (400, True), refused.value.sentence

"""Asks running workers over HTTP, and listens to their changes."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from typing import Any

from tests.e2e.live import Live


def address(live: Live, worker: str) -> str:
    """Where a worker answers, once its log says so."""
    found = re.search(r"metrics at (http://\S+)/metrics", live.log(worker))
    assert found is not None, "the worker has not said yet where it answers"
    return found[1]


def headers(live: Live, **more: str) -> dict[str, str]:
    """What whoever asks must send."""
    token = live.environment.get("SEGSTREAM_WEB__TOKEN")
    return more if token is None else {"Authorization": f"Bearer {token}", **more}


def get(url: str, given: dict[str, str]) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    request = urllib.request.Request(url, headers=given)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def listen(url: str, given: dict[str, str], seconds: float = 60.0) -> Generator[tuple[str | None, Any], None, None]:
    """The changes of a stream, each with the id to go on behind it, until nothing has come for so long."""
    request = urllib.request.Request(url, headers=given)  # noqa: S310
    with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
        place: str | None = None
        until = time.monotonic() + seconds
        kind = ""
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                place = value
            elif name == "event":
                kind = value
            elif name == "data" and kind == "change":
                until = time.monotonic() + seconds
                yield place, json.loads(value)
            elif time.monotonic() > until:
                return

"""The log: lines that machines can read, and one line for one failure, however often it is told."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from stream.app.logs import PATIENCE, JsonFormatter, Repeats, set_up_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Other tests log as they did."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


def record(text: str, at: float, level: int = logging.WARNING, name: str = "x", **fields: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "msg": text, "levelno": level, "created": at, **fields})


def test_what_repeats_is_told_once_and_then_as_a_number() -> None:
    """A thousand of one failure are two lines: the first, and how many came within the time."""
    repeats = Repeats(60.0)
    taken = [repeats.takes(record("shard %d failed", at / 100, args=(at,))) for at in range(1_000)]
    assert taken == [False] + [True] * 999
    assert list(repeats.overdue(59.9)) == []
    [told] = repeats.overdue(60.0)
    assert told.getMessage() == "999 more like this within 60 s: shard 0 failed"
    assert list(repeats.overdue(1e9)) == []
    assert not repeats.takes(record("shard %d failed", 1e9)), "long after, it is a new failure"


def test_only_failures_that_are_alike_are_counted() -> None:
    """Other texts, other loggers, plain information and what ends the worker are always written."""
    repeats = Repeats(60.0)
    assert not repeats.takes(record("a", 0))
    assert not repeats.takes(record("b", 0))
    assert not repeats.takes(record("a", 0, name="y"))
    assert [repeats.takes(record("ready", 0, logging.INFO)) for _ in range(2)] == [False, False]
    assert [repeats.takes(record("ended", 0, logging.CRITICAL)) for _ in range(2)] == [False, False]


def failed(log: logging.Logger, key: str) -> None:
    try:
        dict[str, int]()[key] if key else int(key)
    except (KeyError, ValueError) as error:
        log.error("%s ended", "reader", exc_info=error)


def test_neither_another_exception_nor_another_place_is_swallowed() -> None:
    """One text may stand for many mistakes, and each record that was set aside is told with where it lies."""
    stream = io.StringIO()
    set_up_logging("INFO", "json", stream=stream)
    log = logging.getLogger("stream.test")
    for key in ("one", "two", ""):
        failed(log, key)
    for offset in (3, 4, 4):
        log.error("the record at %d is set aside", offset, extra={"place": f"changelog/0/{offset}"})
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one.get("error", one["message"]) for one in told] == [
        "KeyError: 'one'",
        "ValueError: invalid literal for int() with base 10: ''",
        "the record at 3 is set aside",
        "the record at 4 is set aside",
    ]


def test_clients_that_cannot_reach_a_broker_are_one_failure_that_is_told_where_it_lasts() -> None:
    """aiokafka says it in ten ways a second, also where a broker only restarts."""
    repeats = Repeats(600.0)
    said = [
        "Unable connect to node with id %s: %s",
        "Failed fetch messages from %s",
        "Unable to update metadata from %s",
    ]
    names = ["aiokafka", "aiokafka.consumer.fetcher", "aiokafka.client"]
    taken = [
        repeats.takes(record(text, at, logging.ERROR, name))
        for at in range(int(PATIENCE) + 5)
        for text, name in zip(said, names, strict=True)
    ]
    assert taken.index(False) == 3 * PATIENCE
    assert taken.count(False) == 1
    assert not repeats.takes(record("Unexpected error in fetcher routine", 0, logging.ERROR, "aiokafka"))


def test_a_line_of_json_has_the_fields_of_the_call() -> None:
    """Time in UTC, level, logger, message; what was given as extra; an exception on the same line."""
    stream = io.StringIO()
    set_up_logging("INFO", "json", stream=stream)
    log = logging.getLogger("stream.test")
    log.info("shard %d ready", 3, extra={"shard": 3, "rows": 12})
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        log.critical("the worker ended", exc_info=error)
    log.debug("not asked for")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["level"], first["logger"], first["message"]) == ("info", "stream.test", "shard 3 ready")
    assert (first["shard"], first["rows"]) == (3, 12)
    assert first["time"].endswith("Z")
    assert set(first) == {"time", "level", "logger", "message", "shard", "rows"}
    assert second["error"] == "ValueError: two\nlines"
    assert "test_app_logs.py" in second["traceback"]


def test_json_can_be_made_of_anything() -> None:
    """A field that JSON does not have is told as text: no log call may fail."""
    made = json.loads(JsonFormatter().format(record("x", 0, odd=object(), many={1: {2}})))
    assert made["odd"].startswith("<object")
    assert made["many"] == {"1": "{2}"}


def test_what_was_counted_is_told_at_the_end_and_cancellations_are_not_told() -> None:
    """Nothing is kept back for ever; an agent that is cancelled on the way out has not crashed."""
    stream = io.StringIO()
    set_up_logging("INFO", stream=stream)
    log = logging.getLogger("stream.test")
    for _ in range(3):
        log.warning("again")
    log.error("Crashed", exc_info=asyncio.CancelledError())
    logging.getLogger().handlers[0].close()
    lines = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert lines == ["W again", "W 2 more like this within 60 s: again"]


def test_warnings_of_python_and_the_end_of_a_thread_are_records_too() -> None:
    """A log of JSON is JSON from the first line to the last."""
    import threading
    import warnings

    stream = io.StringIO()
    set_up_logging("INFO", "json", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old ways", stacklevel=1)
    known: dict[str, int] = {}
    thread = threading.Thread(target=lambda: known["missing"], name="reader")
    thread.start()
    thread.join()
    told = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert "old ways" in told[0]
    assert told[1] == "reader ended: KeyError: 'missing'"


def test_what_is_no_http_does_not_fill_the_log() -> None:
    """Anybody can send it, without a token, and its bytes may be a customer's id."""
    text = io.StringIO()
    set_up_logging(stream=text)

    async def run() -> None:
        server = TestServer(web.Application())
        await server.start_server(access_log=None)  # as Faust does
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /customers/ann\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
        await server.close()

    asyncio.run(run())
    assert text.getvalue() == ""

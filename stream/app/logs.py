"""The worker's log: text for people or one JSON object a line for machines, and one line for one failure.

What is worth a field of its own is given to the log call as ``extra={"shard": 3}``; the text says it in words as well.
Never in a log: what events carry. Customers appear by their pseudonymous id at most.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

Format = Literal["text", "json"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

#: Loggers that say little to an operator below this level; Faust's services log under the module of their class.
_QUIET = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.ERROR,
    # What is no HTTP, with its bytes: anybody could fill the log with it, and with ids. Failures of ours are told by
    # `stream.web.guard`.
    "aiohttp.server": logging.CRITICAL,
    "stream.app.app": logging.WARNING,
    "stream.app.table": logging.WARNING,
    "stream.kafka.recovery": logging.WARNING,
    "stream.kafka.transport": logging.WARNING,
}
#: What aiokafka says, in many ways and by every client, where a broker cannot be reached: one failure. It is only told
#: where it lasts; that all brokers are silent is told by `stream.app.health`.
_UNREACHABLE = (
    "Unable connect to ",
    "Unable to request metadata ",
    "Unable to update metadata ",
    "Failed fetch ",
    "Error sending %s to node ",
    "Heartbeat send request failed",
    "Heartbeat session expired",
    "Group Coordinator Request failed",
    "LeaveGroup request failed",
    "FindCoordinator Request failed",
)
UNREACHABLE = ("aiokafka", "unreachable")
#: Attributes that every record has; what else there is was given as ``extra``.
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: For how many seconds aiokafka may be unable to reach a broker before that is told.
PATIENCE = 30.0
#: So many kinds of failures are told apart at a time.
MOST_KINDS = 500


@dataclass(slots=True)
class _Repeated:
    first: logging.LogRecord
    since: float
    written: bool
    count: int = 0


class Repeats:
    """Counts warnings and errors that are like an earlier one, instead of writing them.

    Alike are records of one logger and one text, whatever the values in it, and of one kind of exception raised in one
    line, where they have any. What has a field ``place`` is alike only at the same place: so is told of each record
    that was lost or set aside. The first is written, and starts a time of ``seconds``; what comes within is counted,
    and told as one record when the time is over. That a broker cannot be reached is written when it has been so for
    `PATIENCE`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._known: dict[tuple[str, ...], _Repeated] = {}

    def takes(self, record: logging.LogRecord) -> bool:
        """Whether this record is only counted."""
        if not logging.WARNING <= record.levelno < logging.CRITICAL:
            return False
        kind = _kind(record)
        known = self._known.get(kind)
        if known is not None:
            if not known.written and record.created - known.since >= PATIENCE:
                self._known[kind] = _Repeated(record, record.created, True)
                return False
            known.count += 1
            return True
        if len(self._known) >= MOST_KINDS:
            self._known.pop(next(iter(self._known)))
        self._known[kind] = _Repeated(record, record.created, kind != UNREACHABLE)
        return kind == UNREACHABLE

    def overdue(self, now: float) -> Iterator[logging.LogRecord]:
        """What was counted and is to be told by ``now``, in seconds since the epoch; infinity: all."""
        for kind, known in list(self._known.items()):
            if now - known.since < self._seconds:
                continue
            again = known.count > 0 and known.written
            if again:
                yield _told(known, self._seconds)
            if again and now < float("inf"):
                self._known[kind] = _Repeated(known.first, now, True)
            else:
                del self._known[kind]


def _kind(record: logging.LogRecord) -> tuple[str, ...]:
    if record.name.startswith("aiokafka") and str(record.msg).startswith(_UNREACHABLE):
        return UNREACHABLE
    return record.name, str(record.msg), str(getattr(record, "place", "")), _raised(_error(record))


def _raised(error: BaseException | None) -> str:
    """What kind of exception it is, and the line that raised it; nothing where there is none."""
    if error is None:
        return ""
    steps = traceback.extract_tb(error.__traceback__, limit=-1)
    where = "".join(f" in {step.filename}:{step.lineno}" for step in steps)
    return f"{type(error).__name__}{where}"


def _told(known: _Repeated, seconds: float) -> logging.LogRecord:
    first = known.first
    text = first.getMessage().split("\n", 1)[0]
    fields = {
        "name": first.name,
        "levelno": first.levelno,
        "levelname": first.levelname,
        "msg": f"{known.count} more like this within {seconds:g} s: {text}",
        "repeats": known.count,
    }
    return logging.makeLogRecord(fields)


class SparingHandler(logging.StreamHandler[TextIO]):
    """Writes records, and of those that repeat each other the first one and how many there were.

    Left out is what Faust reports as a crash while its own agents are being cancelled.
    """

    def __init__(self, stream: TextIO, seconds: float) -> None:
        super().__init__(stream)
        self._repeats = Repeats(seconds)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after what is due of those that were counted."""
        self._tell(record.created)
        if not _is_cancellation(record) and not self._repeats.takes(record):
            super().emit(record)

    def close(self) -> None:
        """Tell what was counted so far."""
        with self.lock or threading.RLock():
            self._tell(float("inf"))
        super().close()

    def _tell(self, now: float) -> None:
        for told in self._repeats.overdue(now):
            super().emit(told)


def _is_cancellation(record: logging.LogRecord) -> bool:
    return bool(record.exc_info) and isinstance(_error(record), asyncio.CancelledError)


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if isinstance(record.exc_info, tuple) else None


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the fields of the call, and of an exception its text
    (``error``) and where it was raised (``traceback``)."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _PLAIN and name not in fields}
        error = _error(record)
        if error is not None and record.exc_info:
            fields["error"] = f"{type(error).__name__}: {error}"
            fields["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def set_up_logging(
    level: Level = "INFO", form: Format = "text", *, repeat_after: float = 60.0, stream: TextIO | None = None
) -> None:
    """Log to ``stream`` (standard error), also what Python itself warns of and what ends a thread.

    ``repeat_after`` is how many seconds a warning or error stands for those that are like it.
    """
    handler = SparingHandler(stream or sys.stderr, repeat_after)
    text = logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    threading.excepthook = _thread_ended
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, logging.getLevelNamesMapping()[level]))


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    error = ended.exc_value
    if error is not None and not isinstance(error, SystemExit):
        name = ended.thread.name if ended.thread is not None else "a thread"
        logging.getLogger(__name__).error("%s ended: %s: %s", name, type(error).__name__, error, exc_info=error)

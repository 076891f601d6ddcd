"""Running one Faust worker in this process, until a signal or a fault ends it."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import sys
import threading
from typing import Any

import faust

from stream.app.app import App
from stream.errors import UserError

log = logging.getLogger(__name__)

#: Seconds after which a worker that was asked to end does so whatever it waits for. Kafka aborts what is left open.
STOP_SECONDS = 8.0

#: loggers that say little to an operator below this level; Faust's services log under the module of their class
_QUIET = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.ERROR,
    "stream.app.app": logging.WARNING,
    "stream.app.table": logging.WARNING,
    "stream.kafka.recovery": logging.WARNING,
    "stream.kafka.transport": logging.WARNING,
}


class Worker(faust.Worker):
    """Faust's worker with our log lines and exit codes."""

    def __init__(self, app: App) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        super().__init__(app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
        self.spinner = None
        app.end_worker = lambda: self._schedule_shutdown(signal.SIGTERM)

    def run(self) -> None:
        """Start the app and serve until SIGTERM or SIGINT. Raises what made the worker end by itself."""
        starting = self._starting_fut = asyncio.ensure_future(self.start(), loop=self.loop)
        try:
            self.loop.run_until_complete(starting)
        except asyncio.CancelledError:
            log.info("stopped")
        finally:
            self.stop_and_shutdown()

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        """End within a time limit: where the cluster cannot be reached, clients would wait for it."""
        if not self._signal_stop_time:
            limit = threading.Timer(STOP_SECONDS, _give_up)
            limit.daemon = True
            limit.start()
        super()._schedule_shutdown(number)

    async def _sentinel_task(self) -> None:
        """Faust waits a second here before it closes the loop; one turn of the loop does."""
        await asyncio.sleep(0)


class Sparing(logging.Filter):
    """Lets a client's message through once in a while only: while a broker is away it comes many times a second."""

    def __init__(self, every: float = 10.0) -> None:
        super().__init__()
        self._every = every
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write this record."""
        if not record.name.startswith("aiokafka"):
            return True
        which = (record.name, str(record.msg))
        if record.created - self._last.get(which, 0.0) < self._every:
            return False
        self._last[which] = record.created
        return True


def set_up_logging(level: str = "INFO", stream: Any = None) -> None:
    """Short lines: time, level, message."""
    logging.basicConfig(
        level=level,
        stream=stream or sys.stderr,
        format="%(asctime)s %(levelname).1s %(message)s",
        datefmt="%H:%M:%S",
        force=True,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(Sparing())
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, logging.getLevelNamesMapping()[level]))


def tune_collector() -> None:
    """Look for garbage less often, and never in what the imports made: a batch allocates much that frees itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 50)


def run_worker(app: App) -> int:
    """Run the worker: 0 after a signal, 1 after a fault that was logged. Raises `UserError` for what one can mend."""
    tune_collector()
    try:
        Worker(app).run()
        if app.failure is not None:
            raise app.failure
    except UserError:
        raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            port = app.conf.web_port
            raise UserError(f"port {port} of the web server is taken: choose another with --web-port") from error
        log.critical("the worker ended: %s", error)
        return 1
    except Exception as error:
        log.critical("the worker ended: %s: %s", type(error).__name__, error, exc_info=error)
        return 1
    return 0


def _give_up() -> None:
    log.critical("not stopped within %.0f s: leaving without a goodbye to the group", STOP_SECONDS)
    logging.shutdown()
    os._exit(1)

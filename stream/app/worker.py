"""Running one Faust worker in this process, until a signal or a fault ends it."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import socket
import sys
from contextlib import suppress

import faust
from aiokafka.errors import KafkaError

from stream.app.app import App
from stream.app.ending import Ending
from stream.errors import UserError
from stream.kafka.explained import explained

log = logging.getLogger(__name__)

#: After how long a thread hands over Python's lock, in seconds.
SWITCH_SECONDS = 0.0005


class Worker(faust.Worker):
    """Faust's worker with our log lines, exit codes and time limit."""

    def __init__(self, app: App, ending: Ending) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        super().__init__(app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
        self.spinner = None
        self._app, self._ending = app, ending
        app.end_worker = self._end

        def politely() -> None:
            with suppress(RuntimeError):  # the loop is closed: the worker ends already
                loop.call_soon_threadsafe(self._end)

        ending.through(politely, lambda: report(app))

    def run(self) -> None:
        """Start the app and serve until SIGTERM or SIGINT. Raises what made the worker end by itself."""
        starting = self._starting_fut = asyncio.ensure_future(self.start(), loop=self.loop)
        try:
            self.loop.run_until_complete(starting)
        except asyncio.CancelledError:
            log.info("stopped")
        finally:
            self.stop_and_shutdown()

    def install_signal_handlers(self) -> None:
        """None: `Ending` listens to signals."""

    def _end(self) -> None:
        """End within a time limit: where the cluster cannot be reached, clients would wait for it."""
        self._app.ending = True
        self._ending.begin()
        self._schedule_shutdown(signal.SIGTERM)

    async def _sentinel_task(self) -> None:
        """Faust waits a second here before it closes the loop; one turn of the loop does."""
        await asyncio.sleep(0)


def tune_collector() -> None:
    """Look for garbage less often, and never in what the imports made: a batch allocates much that frees itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 50)


def tune_threads() -> None:
    """Have threads hand over Python's lock ten times as often as usual: whenever the event loop looks for what has
    come, one that computes (a summary, a fetch, a page of metrics) takes the lock, and questions wait for it."""
    sys.setswitchinterval(SWITCH_SECONDS)


def run_worker(app: App, ending: Ending | None = None) -> int:
    """Run the worker: 0 after a signal, 1 after a fault that was logged. Raises `UserError` for what one can mend.

    ``ending`` is the one that listens to signals already.
    """
    if ending is None:
        with Ending() as ending:
            return run_worker(app, ending)
    tune_collector()
    tune_threads()
    try:
        Worker(app, ending).run()
    except Exception as error:  # noqa: BLE001  told below, whatever it is
        app.failure = app.failure or error
    failure = mendable(app.failure, app)
    if isinstance(failure, UserError):
        raise failure from app.failure
    return report(app)


def mendable(error: BaseException | None, app: App) -> BaseException | None:
    """What made the worker end, as a `UserError` where it is something that one can mend."""
    if not isinstance(error, OSError):
        return error
    where = f"{app.conf.web_bind}:{app.conf.web_port}"
    match error.errno:
        case errno.EADDRINUSE:
            return UserError(f"port {app.conf.web_port} of the web server is taken: choose another with --web-port")
        case errno.EACCES:
            return UserError(f"the web server may not listen on {where}: choose a port from 1024 on with --web-port")
        case errno.EADDRNOTAVAIL:
            return UserError(f"the web server cannot listen on {where}: web.host must be an address of this machine")
    if isinstance(error, socket.gaierror):
        return UserError(f"the web server cannot listen on {where}: web.host is not a known host")
    return error


def report(app: App) -> int:
    """Log what made the worker end by itself, if anything did; the exit code."""
    error = mendable(app.failure, app)
    if error is None:
        return 0
    if isinstance(error, UserError):
        log.critical("%s", error)
        return error.exit_code
    if isinstance(error, OSError | KafkaError):
        log.critical("the worker ended: %s", explained(error))
    else:
        log.critical("the worker ended: %s: %s", type(error).__name__, error, exc_info=error)
    return 1

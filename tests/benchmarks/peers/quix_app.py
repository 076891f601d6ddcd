"""The application of both Quix Streams peers: its defaults."""

from __future__ import annotations

from typing import Any

from quixstreams import Application

from tests.benchmarks.peers.progress import APP, BROKER, FOLDER


def new_app() -> Any:
    """At least once, a checkpoint every 5 s."""
    return Application(
        broker_address=BROKER,
        consumer_group=APP,
        auto_offset_reset="earliest",
        state_dir=FOLDER / "state",
        loglevel="WARNING",
    )

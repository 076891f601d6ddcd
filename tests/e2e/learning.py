"""An application for which something is learned beside the shards, a history in parts, and a trainer to be killed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar
from unittest import mock

from stream.app.definition_files import in_settings
from stream.learners.control import Published, Version, read_published
from stream.plan.plan import Plan, twin_plan
from stream.settings import Settings, load_settings
from tests.conftest import REPOSITORY
from tests.e2e.live import Change, Live, by_customer, read_changes, wait_for

PARTITIONS = 4
#: Events applied after a load began and before a worker is killed: it is in the middle of its work.
MIDST = 100

V = TypeVar("V", bound=Version)


@dataclass
class World:
    """An application with one dimension, and a history in parts, of which the last one ends it.

    Parameters
    ----------
    live
        The application.
    events
        The whole history.
    parts
        The same, cut.
    """

    live: Live
    events: Path
    parts: list[Path]

    def start_two(self) -> None:
        """Two workers, each with shards."""
        live = self.live
        live.run("topics")
        live.start_worker("a")
        wait_for("worker a is ready", lambda: live.ready_shards() == live.partitions)
        live.start_worker("b")
        wait_for("both have shards", lambda: live.metrics("b").get('segstream_shards{state="ready"}', 0) > 0)

    def load(self, part: int, *arguments: str) -> None:
        """Load a part; only after the last one time goes on."""
        last = () if part == len(self.parts) - 1 else ("--no-closing-clock",)
        self.live.run("load", str(self.parts[part]), *(arguments or last))

    def published(self) -> Published:
        """What is on the control topic, none of it broken."""
        published = asyncio.run(read_published({"bootstrap_servers": self.live.broker}, self.live.topic("control")))
        assert published.broken == []
        return published

    def versions(self, kind: type[V]) -> list[V]:
        """The published versions of a kind."""
        return [version for version in self.published().versions if isinstance(version, kind)]

    def committed_all(self) -> None:
        """Wait until the workers have committed all that is loaded."""
        wait_for("all is committed", lambda: self.live.behind() == 0)

    def trainers_worker(self) -> str:
        """The worker that owns shard 0, beside which what learns runs."""
        names = self.live.workers
        return next(name for name in names if any('partition="0"' in one for one in self.live.metrics(name)))

    def killed_at_work(self, part: int, successor: str) -> str:
        """Load a part and kill -9 the worker of the trainer in the middle of it; another one starts. The victim."""
        victim = self.trainers_worker()
        before = self.live.applied(victim)
        loading = threading.Thread(target=self.load, args=(part,))
        loading.start()
        wait_for(f"worker {victim} works", lambda: self.live.applied(victim) > before + MIDST, every=0.02)
        self.live.kill_worker(victim)
        self.live.start_worker(successor)
        loading.join(240)
        assert not loading.is_alive(), f"part {part} is still being loaded"
        return victim

    def equals_replay(self, *arguments: str) -> list[Change]:
        """The changes, which are those of a replay that is given the versions, customer by customer."""
        self.live.run("versions", "--out", "versions.jsonl")
        given = ("--versions", "versions.jsonl", "--out", "replayed.jsonl", *arguments)
        self.live.run("replay", str(self.events), *given)
        expected = [json.loads(line) for line in (self.live.folder / "replayed.jsonl").read_text().splitlines()]
        found = read_changes(self.live, len(expected))
        assert by_customer(found) == by_customer(expected)
        return found


def settings_and_plan(live: Live, dimension: str) -> tuple[Settings, Plan]:
    """The settings of an application, and the plan of its dimension, not compiled."""
    with mock.patch.dict(os.environ, live.environment):
        settings = load_settings()
        return settings, twin_plan(in_settings({"dimension.yaml": dimension}, settings))


def configure(live: Live, dimension: str, pace: Mapping[str, str]) -> None:
    """Have the application go by only this dimension, and by these settings beside the shipped ones."""
    config = live.folder / "config"
    (config / "segments").mkdir(parents=True)
    (config / "segments" / "dimension.yaml").write_text(dimension)
    shutil.copy(REPOSITORY / "config" / "stream.yaml", config)
    live.settings = {**live.settings, "SEGSTREAM_CONFIG": str(config), **pace}


def in_parts(live: Live, lines: Sequence[bytes], cuts: Sequence[int]) -> World:
    """The world of an application whose history are these lines, cut before those with these numbers."""
    events = live.folder / "events.jsonl"
    events.write_bytes(b"".join(lines))
    places = [0, *cuts, len(lines)]
    parts = [live.folder / f"part-{number}.jsonl" for number in range(len(places) - 1)]
    for part, (start, stop) in zip(parts, pairwise(places), strict=True):
        part.write_bytes(b"".join(lines[start:stop]))
    return World(live, events, parts)


def make_world(live: Live, dimension: str, pace: Mapping[str, str], simulate: tuple[str, ...], *shares: float) -> World:
    """The world of an application that has only this dimension and these settings beside the shipped ones.

    Its history is what ``simulate`` asks for, cut at these ``shares``; 1 cuts before the last event.
    """
    configure(live, dimension, pace)
    simulated = live.folder / "simulated.jsonl"
    live.run("simulate", *simulate, "--out", str(simulated))
    lines = simulated.read_bytes().splitlines(keepends=True)
    return in_parts(live, lines, [min(int(share * len(lines)), len(lines) - 1) for share in shares])

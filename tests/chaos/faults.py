"""What is done to it.  Each fault is done while parts of the traffic are on their way; ``random`` says exactly when."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from random import Random

from tests.chaos.stage import Stage, pause
from tests.e2e.live import wait_for

#: A zombie sleeps for longer than its session lasts.
ZOMBIE_SECONDS = 9.0


def kill_worker(stage: Stage, random: Random) -> None:
    """kill -9 at any instant: while it starts, opens shards, applies or commits."""
    stage.load()
    pause(random.uniform(0.0, 6.0))
    stage.signal(random.choice(sorted(stage.wanted)), signal.SIGKILL)


def zombie(stage: Stage, random: Random) -> None:
    """SIGSTOP until the group has given its partitions away, then SIGCONT."""
    stage.load()
    worker = random.choice(sorted(stage.wanted))
    stage.signal(worker, signal.SIGSTOP)
    try:
        stage.load()
        pause(ZOMBIE_SECONDS)
    finally:
        stage.signal(worker, signal.SIGCONT)
    stage.load()


def join_and_leave(stage: Stage, random: Random) -> None:
    """From as many workers as there are to one more and to one more again, and back, under load."""
    for worker in ("late", "later"):
        stage.load()
        stage.want(worker)
        pause(random.uniform(1.0, 6.0))
    for worker in ("late", "later"):
        stage.load()
        stage.dismiss(worker)
        pause(random.uniform(0.0, 3.0))


def kill_broker(stage: Stage, random: Random) -> None:
    """kill -9 of the broker, and a start on its data."""
    stage.load()
    pause(random.uniform(0.0, 3.0))
    stage.broker.kill()
    pause(random.uniform(0.0, 3.0))
    stage.broker.start()
    stage.load()


def stop_broker(stage: Stage, random: Random, seconds: float = 60.0) -> None:
    """Nobody answers for a minute."""
    stage.load()
    pid = stage.broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    pause(seconds)
    os.kill(pid, signal.SIGCONT)
    wait_for("all shards are ready again", stage.settled, 180.0)
    stage.load()


def publish(stage: Stage, random: Random) -> None:
    """Other definitions from an instant that is still to come, and a kill while they are compiled."""
    stage.publish()
    stage.load()
    pause(random.uniform(0.0, 4.0))
    stage.signal(random.choice(sorted(stage.wanted)), signal.SIGKILL)
    stage.load()


#: The faults by name, and how many parts of the traffic each takes at most.
FAULTS: dict[str, tuple[Callable[[Stage, Random], None], int]] = {
    "kill": (kill_worker, 1),
    "zombie": (zombie, 3),
    "join": (join_and_leave, 4),
    "publish": (publish, 2),
    "broker": (kill_broker, 2),
    "silence": (stop_broker, 2),
}

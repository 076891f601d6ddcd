"""What is done to workers and their group.  Each fault is done while parts of the traffic are on their way; ``random``
says exactly when, ``number`` how many times it was done before."""

from __future__ import annotations

from functools import partial
from random import Random

from tests.chaos.proxy import Act, Api, Moment
from tests.chaos.stage import PATIENCE, Stage, pause
from tests.e2e.live import wait_for

#: The steps of a transaction that reach the broker.  (To begin one does not.)
COMMIT = (
    Api.ADD_PARTITIONS_TO_TXN,
    Api.PRODUCE,
    Api.ADD_OFFSETS_TO_TXN,
    Api.TXN_OFFSET_COMMIT,
    Api.END_TXN,
)
#: The steps of a rebalance and of the opening of a shard, and what such a request holds.
OPENING = (
    (Api.JOIN_GROUP, b""),
    (Api.SYNC_GROUP, b""),
    (Api.INIT_PRODUCER_ID, b""),
    (Api.OFFSET_FETCH, b""),
    (Api.FETCH, b"-customers-changelog"),
)
MOMENTS = (Moment.REQUEST, Moment.ANSWER)
IN_COMMIT = tuple((api, moment) for api in COMMIT for moment in MOMENTS)
IN_OPENING = tuple((api, moment, held) for api, held in OPENING for moment in MOMENTS)
REFUSALS = tuple(
    (api, moment, act)
    for api in COMMIT
    for moment, act in ((Moment.REQUEST, Act.CLOSE), (Moment.ANSWER, Act.CLOSE), (Moment.REQUEST, Act.SILENCE))
)


def anyone(stage: Stage, random: Random) -> str:
    """One of the workers."""
    return random.choice(sorted(stage.wanted))


def kill(stage: Stage, random: Random, number: int) -> None:
    """kill -9 at any instant: while it starts, opens shards, applies or commits."""
    stage.load()
    pause(random.uniform(0.0, 6.0))
    stage.kill(anyone(stage, random))


def kill_in_commit(stage: Stage, random: Random, number: int) -> None:
    """kill -9 at one step of a transaction: before the broker hears of it, or when it is done but not yet known."""
    api, moment = IN_COMMIT[number % len(IN_COMMIT)]
    rule = stage.aim(api, moment, then=stage.kill)
    stage.load()
    stage.hit(rule)


def kill_in_opening(stage: Stage, random: Random, number: int) -> None:
    """kill -9 at one step of the rebalance, or of the opening of a shard, that another kill has made necessary."""
    api, moment, held = IN_OPENING[number % len(IN_OPENING)]
    stage.load()
    rule = stage.aim(api, moment, containing=held, then=stage.kill)
    stage.kill(anyone(stage, random))
    stage.hit(rule)


def refuse(stage: Stage, random: Random, number: int) -> None:
    """One step of a transaction fails: the request is lost, or its answer, or nobody ever answers."""
    rule = stage.aim(*REFUSALS[number % len(REFUSALS)])
    stage.load()
    stage.hit(rule)


def commit_late(stage: Stage, random: Random, number: int) -> None:
    """A commit is on its way when its worker stops (SIGSTOP), and reaches the broker after others have the shard."""
    rule = stage.aim(Api.END_TXN, act=Act.HOLD, then=stage.stun)
    stage.load()
    worker = stage.hit(rule)
    try:
        stage.settle(worker)
        stage.load()
    finally:
        stage.proxy.release(rule)
        stage.wake(worker)


def zombie(stage: Stage, random: Random, number: int) -> None:
    """SIGSTOP until the others have its shards, then SIGCONT."""
    stage.load()
    worker = anyone(stage, random)
    pause(random.uniform(0.0, 2.0))
    stage.stun(worker)
    try:
        stage.load()
        stage.settle(worker)
    finally:
        stage.wake(worker)
    stage.load()


def cut_off(stage: Stage, random: Random, number: int) -> None:
    """A worker runs on, but nothing goes between it and the broker until the others have its shards."""
    stage.load()
    worker = anyone(stage, random)
    pause(random.uniform(0.0, 2.0))
    stage.proxy.cut(worker)
    try:
        stage.load()
        stage.settle(worker)
    finally:
        stage.proxy.mend(worker)
    stage.load()


def join_and_leave(stage: Stage, random: Random, number: int) -> None:
    """From one worker to three, one after the other, and back to one, whichever that is, under load."""
    newcomers = [worker for worker in "abcd" if worker not in stage.wanted][:2]
    for worker in newcomers:
        stage.load()
        stage.want(worker)
        wait_for(f"{worker} has shards", partial(stage.takes_part, worker), PATIENCE)
    for _ in newcomers:
        stage.load()
        stage.dismiss(anyone(stage, random))
        pause(random.uniform(0.0, 3.0))


def publish(stage: Stage, random: Random, number: int) -> None:
    """Other definitions from an instant that is still to come, and a kill while they are compiled or taken over."""
    stage.publish()
    stage.load()
    pause(random.uniform(0.0, 4.0))
    stage.kill(anyone(stage, random))
    stage.load()


def flood(stage: Stage, random: Random, number: int) -> None:
    """A kill while everybody's deadlines fall due at once, and a product gets cheaper that all of them wish for."""
    stage.catch_up()
    stage.load()
    pause(random.uniform(0.0, 4.0))
    stage.kill(anyone(stage, random))

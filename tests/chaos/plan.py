"""All faults: how often each is done, to how many workers, and on what traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from tests.chaos import broker_faults, faults
from tests.chaos.stage import Stage

Do = Callable[[Stage, Random, int], None]


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    ``told``: in the table; ``parts``: of the traffic, that each takes at most; ``first``: parts that are sent before;
    ``flood``: the traffic is that of very many wishers instead of shoppers; ``without``: dimensions left out; ``disk``:
    the broker has a small disk of its own.
    """

    told: str
    do: Do
    parts: int
    times: int
    workers: str = "ab"
    first: int = 1
    flood: bool = False
    without: tuple[str, ...] = ()
    disk: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


#: By name.
FAULTS: dict[str, Fault] = {
    "kill": Fault("a worker killed (-9) at any instant", faults.kill, 1, 20),
    "kill-in-commit": Fault(
        "a worker killed (-9) at each step of a transaction", faults.kill_in_commit, 1, len(faults.IN_COMMIT)
    ),
    "kill-in-opening": Fault(
        "a worker killed (-9) at each step of rebalance and recovery", faults.kill_in_opening, 1, len(faults.IN_OPENING)
    ),
    "refuse": Fault(
        "each step of a transaction lost, its answer lost, never answered", faults.refuse, 1, len(faults.REFUSALS)
    ),
    "late": Fault("a commit that arrives after its worker was replaced", faults.commit_late, 2, 3),
    "zombie": Fault("a worker stopped until it was replaced, then going on", faults.zombie, 3, 5),
    "cut": Fault("a worker cut off from the broker until it was replaced", faults.cut_off, 3, 5),
    "join": Fault("from one worker to three and back", faults.join_and_leave, 4, 3, workers="a"),
    # Whoever adopts definitions tells anew how its customers lie, so cuts would be learned meanwhile: in time that is
    # compressed they come late, which a replay cannot know.
    "publish": Fault("other definitions, and a worker killed (-9)", faults.publish, 2, 3, without=("value",)),
    "flood": Fault(
        "a worker killed (-9) while 50,000 deadlines fall due and 50,000 wishes get cheaper",
        faults.flood,
        1,
        6,
        first=2,
        flood=True,
        settings={"SEGSTREAM_BATCH__MAX_RECORDS": "2000"},
    ),
    "broker": Fault("the broker killed (-9)", broker_faults.kill_broker, 1, 5),
    "silence": Fault("no answer from the broker for a minute", broker_faults.silence, 2, 1),
    "disk": Fault("the broker's disk full", broker_faults.fill_disk, 2, 3, disk=True),
}

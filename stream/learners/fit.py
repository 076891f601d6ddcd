"""What the child process of a trainer runs: ``python -m stream.learners.fit PID``, a `Task` on standard input.

It writes a `Done` to standard output. A fit takes seconds of a processor, of which the worker's event loop, its shards'
threads and Python's lock see nothing here.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import msgspec

from stream.kafka.processes import bound_to

#: What it takes yields to the shards by this much.
NICE = 10
#: numpy's libraries would start a thread a core, which wait for each other without sleeping.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
#: How much of what the child said is told where it fails, in characters.
SAID = 2_000


class Task(msgspec.Struct, frozen=True):
    """What to fit.

    Parameters
    ----------
    told
        What the shards tell, as they wrote it (`stream.predict.telling.ShardHistories`).
    effective
        From when on the version is in force (event time in ms).
    previous
        The version before as JSON; None where there is none.
    """

    told: list[bytes]
    effective: int
    previous: bytes | None = None


class Done(msgspec.Struct, frozen=True):
    """What was found.

    Parameters
    ----------
    model
        The version as JSON; None where there is none.
    change
        See `stream.predict.fitting.Fitted`.
    refused
        Why there is none, in one sentence.
    seconds
        Of a processor's time that it took.
    """

    model: bytes | None = None
    change: float = 0.0
    refused: str = ""
    seconds: float = 0.0


def fit(task: Task) -> Done:
    """Fit what is told; where too few customers bought again, it says so."""
    from stream.predict.fitting import fit_lifetime
    from stream.predict.lifetime_model import LifetimeModel
    from stream.predict.telling import ShardHistories

    previous = None if task.previous is None else LifetimeModel.from_json(task.previous)
    told = [ShardHistories.decode(one) for one in task.told]
    try:
        found = fit_lifetime(told, task.effective, previous)
    except ValueError as error:
        return Done(refused=str(error), seconds=time.process_time())
    return Done(found.model.to_json(), found.change, seconds=time.process_time())


async def fit_beside(task: Task) -> Done:
    """The same in a child process; it ends with this one, and with the task that waits for it.

    RuntimeError says why it failed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stream.learners.fit",
        str(os.getpid()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
        start_new_session=True,
    )
    try:
        found, said = await process.communicate(msgspec.msgpack.encode(task))
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        tail = said.decode(errors="replace")[-SAID:].strip()
        raise RuntimeError(f"fitting the model of lifetimes ended with code {process.returncode}: {tail}")
    return msgspec.msgpack.decode(found, type=Done)


def main() -> None:
    """Fit the task on standard input, as long as the process that is named on the command line lives."""
    bound_to(int(sys.argv[1]))()  # not before: to run it there, the whole memory of a worker would have to be forked
    os.nice(NICE)
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(fit(task)))


if __name__ == "__main__":
    main()

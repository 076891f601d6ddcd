"""Machine code that all definitions share (reading events, packing rows, writing changes), and the functions of single
dimensions, compiled in a process of its own.

On a first start that takes as long as the rest of the plan; two cores do both at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.compiled import (
    common_is_compiled,
    compile_framing,
    compile_packing,
    compile_part,
    compile_scan,
    compile_unframing,
    part_files,
)
from stream.engine import rest, teller
from stream.engine.rows import Rows
from stream.events.decode import Decoder
from stream.kafka import framing, unframing
from stream.kafka.processes import bound_to
from stream.plan.definitions import Definitions, parse_definitions
from stream.plan.plan import twin_plan

#: The code is the same whatever the definitions are; these are quickly read.
_ANY = "dimension: any\nfeatures: {orders: {count: Order Completed}}\nsegments: [{segment: any, when: orders >= 1}]\n"


@contextmanager
def compiled_beside(definitions: Definitions, cache: Path) -> Iterator[None]:
    """While the body compiles a plan, fill the cache with the common code if it is not there, then with functions of
    its dimensions, from the last one on; on leaving all are there.

    A child that fails is no failure: what it has not compiled is compiled when it is needed.
    """
    missing = part_files(definitions, cache)
    if common_is_compiled(cache) and len(missing) < 2:
        yield
        return
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "stream.app.compiling_common", str(cache), *missing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=bound_to(os.getpid()),
    )
    try:
        yield
        child.wait()
    finally:
        child.kill()
        child.wait()


def main() -> None:
    """Compile into the cache that is named on the command line, also these functions."""
    cache = Path(sys.argv[1])
    if not common_is_compiled(cache):
        compile_common(cache)
    for name in reversed(sys.argv[2:]):
        compile_part(name, cache)


def compile_common(cache: Path) -> None:
    """Compile what all definitions share."""
    plan = twin_plan(parse_definitions({"any.yaml": _ANY}), packing=compile_packing(cache))
    Decoder(plan.inputs, scan=compile_scan(cache)).decode("", 0, [], 0, 0)
    rest.warm(Rows(plan))
    teller.warm(Rows(plan))
    framing.warm(compile_framing(cache))
    unframing.warm(compile_unframing(cache))


if __name__ == "__main__":
    main()

"""What the child process of a worker runs: ``python -m stream.app.compiling CONFIG_DIR``, a version on standard input.

It leaves the compiled plan in the cache of the data folder, from where the worker loads it in about a second.

It ends with `REFUSED` where the definitions are at fault, which every machine finds alike; with anything else (an error
of this machine, or a signal) nothing is said of them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stream.app import bootstrap
from stream.app.bootstrap import UncompilableError
from stream.engine.versions import DefinitionsVersion
from stream.plan.problems import DefinitionError
from stream.settings import load_settings

#: What it takes yields to the shards by this much.
NICE = 10
#: Exit code where the definitions cannot be compiled anywhere; Python's own are 1 and 2, those of signals negative.
REFUSED = 65


def main() -> None:
    """Compile the definitions on standard input."""
    os.nice(NICE)
    settings = load_settings(Path(sys.argv[1]))
    version = DefinitionsVersion.from_json(sys.stdin.buffer.read())
    try:
        bootstrap.make_plan(bootstrap.checked(version.files, settings), settings)
    except (DefinitionError, UncompilableError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()

"""What the child process of a worker runs: ``python -m stream.app.compiling CONFIG_DIR``, a version on standard input.

It leaves the compiled plan in the cache of the data folder, from where the worker loads it in about a second.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stream.app import bootstrap
from stream.engine.versions import DefinitionsVersion
from stream.settings import load_settings

#: What it takes yields to the shards by this much.
NICE = 10


def main() -> None:
    """Compile the definitions on standard input."""
    os.nice(NICE)
    settings = load_settings(Path(sys.argv[1]))
    version = DefinitionsVersion.from_json(sys.stdin.buffer.read())
    bootstrap.make_plan(bootstrap.checked(version.files, settings), settings)


if __name__ == "__main__":
    main()

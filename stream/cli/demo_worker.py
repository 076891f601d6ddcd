"""A worker that gets ready while Kafka still starts: loads, compiles the definitions, then waits for a line on stdin.

From then on it is `segstream worker`. Its arguments are that command's, and must have --config.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Loaded now, so that it is there when the worker starts.
import stream.app.live
import stream.app.worker
import stream.cli.worker  # noqa: F401
from stream.app.bootstrap import make_plan
from stream.app.definition_files import read_definitions
from stream.cli import main as segstream
from stream.cli.demo_run import READY
from stream.settings import load_settings


def main() -> None:
    """Compile, wait, work. Ends silently when stdin ends: nobody wants it any more."""
    config = Path(sys.argv[sys.argv.index("--config") + 1])
    settings = load_settings(config)
    make_plan(read_definitions(settings.config_dir / "segments", settings), settings)
    print(READY, flush=True)  # noqa: T201 - heard by the demo
    if sys.stdin.readline():
        sys.argv.insert(1, "worker")
        segstream()


if __name__ == "__main__":
    main()

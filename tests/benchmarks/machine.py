"""On what, and with which versions, something was measured."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stream.kafka.broker_jars import java
from tests.conftest import REPOSITORY

_OURS = ("segstream", "faust-streaming", "aiokafka", "numba", "numpy", "orjson", "msgspec")
_PEERS = ("faust-streaming", "aiokafka", "orjson", "quixstreams", "bytewax", "confluent-kafka")


def machine() -> dict[str, Any]:
    """Processor, memory, system, and how busy it was before anything was measured."""
    models = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
    }


def versions(peers_python: Path) -> dict[str, Any]:
    """Of us, of the peers (where they are installed: not all parts need them) and of what both stand on."""
    ask = f"import json, importlib.metadata as m; print(json.dumps({{n: m.version(n) for n in {_PEERS!r}}}))"
    peers = {}
    if peers_python.exists():
        answer = subprocess.run([peers_python, "-c", ask], capture_output=True, text=True, check=True)
        peers = json.loads(answer.stdout)
    said = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True).stderr
    return {
        "python": platform.python_version(),
        "java": said.splitlines()[0],
        "kafka": _pinned(REPOSITORY / "config" / "kafka" / "pom.xml"),
        "kafka-streams": _pinned(Path(__file__).parent / "kafka_streams" / "pom.xml"),
        "commit": _commit(),
        "ours": {name: version(name) for name in _OURS},
        "peers": peers,
    }


def _pinned(pom: Path) -> str:
    found = re.search(r"<kafka.version>(.+)</kafka.version>", pom.read_text())
    return found[1] if found else "unknown"


def _commit() -> str:
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"

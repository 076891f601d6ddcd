"""`make fuzz`: bytes that reach ever new branches, until one breaks a rule; then the bytes are kept, and the exit is 1.

What was found to be interesting is kept in .segstream/fuzz, so that the next run goes on from there. Without atheris
(it has no build for every platform) the same rules are still tested by property, in `make test`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings
from pathlib import Path

NAMES = ("decoder", "quick", "rows", "changelog", "letters", "fold")
#: Longest input, in bytes.
LONGEST = 8192


def main() -> int:
    """Run every target for its time, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="for each target (default: 300)")
    parser.add_argument("--only", action="append", choices=NAMES, help="this target; may be given several times")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default: 1)")
    parser.add_argument("--corpus", type=Path, default=Path(".segstream/fuzz"), help="where inputs are kept")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return fuzz(given.only[0], given.seconds, given.seed, given.corpus)
    failed = []
    for name in given.only or NAMES:
        command = [sys.executable, "-m", "tests.fuzz", "--child", "--only", name, "--seconds", str(given.seconds)]
        command += ["--seed", str(given.seed), "--corpus", str(given.corpus)]
        code = subprocess.run(command, check=False).returncode
        print(f"{name}: {'no rule broken' if code == 0 else f'FAILED (exit {code}), the bytes are in {given.corpus}'}")
        failed += [name] if code else []
    return 1 if failed else 0


def fuzz(name: str, seconds: int, seed: int, corpus: Path) -> int:
    """One target, in this process."""
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: `pip install --group fuzz` (Linux and macOS, CPython up to 3.13)")
        return 2
    with atheris.instrument_imports(include=["stream"]):
        from tests.fuzz.targets import TARGETS, seeds
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # whole numbers of numpy wrap around, as they should
    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    for k, data in enumerate(seeds(name)):
        (folder / f"seed-{k}").write_bytes(data)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST}", "-timeout=60", "-verbosity=0"]
    atheris.Setup([sys.argv[0], str(folder), *options, f"-artifact_prefix={corpus}/{name}-"], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Java, Maven and the jars of Apache Kafka: what the embedded broker needs before it can run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stream.errors import UserError

OLDEST_JAVA = 17
INSTALL = "apt-get install -y openjdk-17-jre-headless maven"


def java() -> Path:
    """The java command of ``$JAVA_HOME`` or the path, if it is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None or not Path(found).exists():
        where = f"no java in JAVA_HOME ({home})" if home else "Java is missing"
        raise UserError(f"{where}: the embedded broker needs Java {OLDEST_JAVA} or newer; on Debian: {INSTALL}")
    answer = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    # The version is on stderr, as 17.0.15 or, up to Java 8, as 1.8.0.
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    if version is None:
        raise UserError(f"{found} does not say its version; the embedded broker needs Java {OLDEST_JAVA} or newer")
    if int(version[1]) < OLDEST_JAVA:
        raise UserError(
            f"{found} is Java {version[1]}: the embedded broker needs {OLDEST_JAVA} or newer; on Debian: {INSTALL}"
        )
    return Path(found)


def fetch_jars(pom: Path, folder: Path) -> Path:
    """The folder with the jars that ``pom`` names, below ``folder``; Maven brings them the first time.

    A folder is named by its pom's content, so another version is another folder. It appears whole or not at all, and
    processes that start at once wait for one download.
    """
    jars = folder / f"jars-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if jars.is_dir():
        return jars
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "jars.lock"):
        if not jars.is_dir():
            _copy_jars(pom, jars)
    return jars


def _copy_jars(pom: Path, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UserError(f"Maven is missing: it brings Apache Kafka for the embedded broker; on Debian: {INSTALL}")
    with tempfile.TemporaryDirectory(prefix="jars-", dir=jars.parent) as scratch:
        # Maven writes beside its pom, which may be read-only.
        copy = Path(scratch) / "pom.xml"
        shutil.copyfile(pom, copy)
        target = Path(scratch) / "lib"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        run = subprocess.run(  # noqa: S603
            [maven, "-q", "-B", "-ntp", "-f", str(copy), *goal],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if run.returncode != 0 or not any(target.glob("kafka_*.jar")):
            errors = [line for line in run.stdout.splitlines() if line.startswith("[ERROR]")] or ["no jars came"]
            raise UserError(f"Maven could not fetch Apache Kafka ({pom}): {errors[0].removeprefix('[ERROR]').strip()}")
        target.rename(jars)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

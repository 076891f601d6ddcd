"""Kafka's jars come once, whole, and again only for another pom."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stream.errors import UserError
from stream.kafka.broker_jars import fetch_jars


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for Maven that is slow, brings one jar, and notes each run in the file returned."""
    runs = tmp_path / "runs"
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "mvn"
    script.write_text(
        "#!/bin/sh\n"
        f"echo run >> {runs}\n"
        'for word in "$@"; do case $word in -DoutputDirectory=*) out=${word#*=};; esac; done\n'
        'mkdir -p "$out" && /bin/sleep 0.2 && : > "$out/kafka_2.13-4.1.jar"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return runs


def test_starts_at_once_share_one_download(tmp_path: Path, maven: Path) -> None:
    """Whoever comes second waits for the first one's jars; who comes later finds them."""
    pom = tmp_path / "pom.xml"
    pom.write_text("<project/>")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch_jars(pom, tmp_path / "jars"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(fetch_jars(pom, tmp_path / "jars"))
    assert maven.read_text().splitlines() == ["run"]
    assert len(found) == 4
    assert len(set(found)) == 1
    assert [file.name for file in found[0].iterdir()] == ["kafka_2.13-4.1.jar"]


def test_another_pom_is_another_folder(tmp_path: Path, maven: Path) -> None:
    """Changing the version in the pom is enough to get it."""
    old, new = tmp_path / "old.xml", tmp_path / "new.xml"
    old.write_text("<project>4.1.1</project>")
    new.write_text("<project>4.1.2</project>")
    assert fetch_jars(old, tmp_path / "jars") != fetch_jars(new, tmp_path / "jars")
    assert len(maven.read_text().splitlines()) == 2


def test_a_broken_download_leaves_nothing(tmp_path: Path, maven: Path) -> None:
    """The next start tries again from the beginning."""
    script = tmp_path / "bin" / "mvn"
    whole = script.read_text()
    script.write_text(whole + "exit 1\n")
    pom = tmp_path / "pom.xml"
    pom.write_text("<project/>")
    with pytest.raises(UserError, match="Maven could not fetch Apache Kafka"):
        fetch_jars(pom, tmp_path / "jars")
    assert [file.name for file in (tmp_path / "jars").iterdir()] == ["jars.lock"]
    script.write_text(whole)
    assert fetch_jars(pom, tmp_path / "jars").is_dir()

"""Versions in a file, one a line: what `segstream versions` writes and `segstream replay --versions` reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stream.errors import UserError
from stream.learners.control import Version, chain_of, read_version


def write_versions(path: Path, versions: Iterable[Version]) -> None:
    """Write versions of every kind as JSONL."""
    try:
        path.write_bytes(b"".join(version.to_json() + b"\n" for version in versions))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def read_versions(path: Path) -> list[Version]:
    """The versions of such a file, in its order; a `UserError` names the line that is wrong.

    Both number and effective instant must rise from line to line: among the definitions, among the cuts, and among the
    clusters of a dimension.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    versions: list[Version] = []
    latest: dict[str, Version] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            version = read_version(line)
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}") from error
        if version is None:
            raise UserError(f"{path}:{number}: this is a clock record, not a version: remove the line")
        before = latest.get(chain_of(version))
        if before is not None and (version.version <= before.version or version.effective <= before.effective):
            raise UserError(
                f"{path}:{number}: version {version.version} of {chain_of(version)} does not come after version "
                f"{before.version} before it: keep the order in which `segstream versions` wrote them"
            )
        latest[chain_of(version)] = version
        versions.append(version)
    return versions

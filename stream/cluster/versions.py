"""Versions in a file, one a line: what `segstream versions` writes and `segstream replay --versions` reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stream.cluster.model import ClusterModel
from stream.errors import UserError


def write_versions(path: Path, models: Iterable[ClusterModel]) -> None:
    """Write models as JSONL."""
    try:
        path.write_bytes(b"".join(model.to_json() + b"\n" for model in models))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def read_versions(path: Path) -> list[ClusterModel]:
    """The models of such a file, in its order; a `UserError` names the line that is wrong.

    Within a dimension both version and effective instant must rise from line to line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    models: list[ClusterModel] = []
    latest: dict[str, ClusterModel] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            model = ClusterModel.from_json(line)
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}") from error
        before = latest.get(model.dimension)
        if before is not None and (model.version <= before.version or model.effective <= before.effective):
            raise UserError(
                f"{path}:{number}: version {model.version} of {model.dimension} does not come after version "
                f"{before.version} before it: keep the order in which `segstream versions` wrote them"
            )
        latest[model.dimension] = model
        models.append(model)
    return models

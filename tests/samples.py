"""Where the samples of public data sets are, for tests that read real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


def folder_of_samples() -> Path:
    """Where the samples are, if they are anywhere."""
    return Path(os.environ.get("SEGSTREAM_TEST_DATA") or _REPOSITORY.parent / "shared" / "data")


def sample(name: str) -> Path:
    """The path of a sample file; the test is skipped where the samples are absent."""
    folder = folder_of_samples()
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not in {folder}: set SEGSTREAM_TEST_DATA to the folder of the data samples")
    return folder / name


def mapping_file(name: str) -> Path:
    """The mapping in config/ for a sample."""
    return _REPOSITORY / "config" / "mappings" / f"{name}.yaml"

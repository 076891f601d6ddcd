"""What people install is the wheel, not the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import REPOSITORY


def test_the_wheel_brings_its_configuration(tmp_path: Path) -> None:
    """Far from a checkout, settings, definitions and what the broker needs are those of the package itself."""
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        "-w",
        str(tmp_path),
    ]
    subprocess.run([*build, str(REPOSITORY)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("segstream-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    shipped = tmp_path / "installed" / "stream" / "config"
    for name in ("stream.yaml", "segments", "mappings", "kafka/pom.xml", "kafka/log4j2.properties"):
        assert (shipped / name).exists(), name
    # -I would leave out PYTHONPATH; the folder with the unpacked wheel must come before the editable checkout.
    ask = "from stream.settings import load_settings; print(load_settings().config_dir)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEGSTREAM_")}
    environment["PYTHONPATH"] = str(tmp_path / "installed")
    run = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert Path(run.stdout.strip()) == shipped

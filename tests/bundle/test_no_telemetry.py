"""Telemetry of ONNX Runtime is disabled by a variable before the import."""

from __future__ import annotations

import subprocess
import sys

import toy_bundle
from processes import environment

LOAD = """
import sys
from pathlib import Path
from tocsin.bundle import load
load(Path(sys.argv[1]))
"""


def left_by_loading(tmp_path):
    """Load a bundle in a new process with its own home; returns the files left there."""
    home, bundle = tmp_path / "home", tmp_path / "toy"
    home.mkdir()
    toy_bundle.write(bundle)
    kept = {name: value for name, value in environment().items() if not name.startswith(("XDG_", "ORT_", "CI"))}
    subprocess.run(
        [sys.executable, "-c", LOAD, bundle],
        env=kept | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(str(file.relative_to(home)) for file in home.rglob("*") if file.is_file())


def test_loading_a_bundle_leaves_no_identifier_and_no_database(tmp_path):
    assert left_by_loading(tmp_path) == []

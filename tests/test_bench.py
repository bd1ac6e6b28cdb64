"""A small run of the end-to-end benchmark."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment

SCRIPT = Path(__file__).parents[1] / "scripts" / "bench.py"


@pytest.mark.skipif(shutil.which("mosquitto", path="/usr/bin:/usr/sbin") is None, reason="mosquitto is not installed")
def test_every_part_is_measured_and_every_message_is_processed():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--streams", "20", "--seconds", "3"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d,]+) \| ([\d.]+) \|$", done.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == [
        "decode",
        "core: frames, model, conditions, alarms",
        "of which the model's step alone",
        "store: journal and commit",
        "all of it, in this process",
        "tocsin run, behind Mosquitto",
    ]
    assert all(float(row[1]) > 0 for row in rows)

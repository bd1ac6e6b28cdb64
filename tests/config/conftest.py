"""Configurations as text, checked."""

from __future__ import annotations

import os

import pytest
import toy_bundle

from tocsin.config import check

PROBABILITY = {"scale": "probability", "threshold": 0.2, "chosen_by": "hand"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in list(os.environ):
        if name.upper().startswith("TOCSIN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def faults_of(tmp_path, monkeypatch):
    """Check a text as `tocsin.yaml`; each fault as its one line."""
    toy_bundle.write(tmp_path / "toy")
    toy_bundle.write(tmp_path / "risk", name="risk", task="alarm", calibration=PROBABILITY)
    monkeypatch.chdir(tmp_path)

    def faults(text):
        file = tmp_path / "tocsin.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [str(fault).removeprefix(f"{tmp_path}/") for fault in check(file).faults]

    return faults

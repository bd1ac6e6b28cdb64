"""Bundles of toy models, and variants of shipped ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import toy_bundle

from tocsin.bundle import shipped_folder


def write_toy(folder: Path, name: str, *, remembers: bool = False, **manifest: Any) -> None:
    """Write a bundle of two channels, hr and spo2, with arithmetic that is the same on any machine."""
    graph = toy_bundle.REMEMBERING if remembers else toy_bundle.GRAPH
    toy_bundle.write(folder / name, toy_bundle.serialised(graph), **manifest)


def write_classifier(folder: Path, name: str) -> None:
    """Write a bundle with the classes slow, middling and quick; the score is the probability of the last two."""
    toy_bundle.write_classifier(folder / name)


def write_variant(folder: Path, name: str, of: str, **manifest: Any) -> None:
    """Write a copy of a shipped bundle with changed manifest entries."""
    shutil.copytree(shipped_folder() / of, folder / name)
    file = folder / name / "manifest.json"
    entries = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(entries | manifest), encoding="utf-8")

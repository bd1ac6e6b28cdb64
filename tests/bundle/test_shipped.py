"""Shipped bundles: size, content, descriptions, and no paths of the exporting machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="cards are written by the training side")

from tocsin.bundle import load
from tocsin.engine.model import Task
from tocsin_training.export import bundle_folder

ROOT = Path(__file__).parents[2]
BUNDLES = sorted(file.parent for file in (ROOT / "models").glob("*/*/manifest.json"))
GRAPHS = [file for folder in BUNDLES for file in sorted(folder.glob("*.onnx"))]
MOST_BYTES = 20_000_000


def test_the_shipped_bundles_are_small_in_total():
    assert [folder.parent.name for folder in BUNDLES] == [
        "icu-hourly", "pressure-minute", "sensor", "ward-generator", "ward-vitals",
    ]  # fmt: skip
    assert sum(file.stat().st_size for folder in BUNDLES for file in folder.iterdir()) < MOST_BYTES


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.parent.name)
def test_each_bundle_matches_its_description(folder):
    manifest = load(folder).manifest
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    written = (folder / "manifest.json").read_text(encoding="utf-8")
    assert written == manifest.model_dump_json(indent=2, exclude_none=True) + "\n", "in the current format"
    assert card == bundle_folder.card(manifest, bundle_folder.notes_of(folder))
    if manifest.task is Task.GENERATE:
        assert "## Similarity to the simulator" in card
    else:
        report = re.search(r"^Its report: `(docs/[a-z-]+\.md)`", card, re.MULTILINE)
        assert report is not None, "the card names its report"
        assert manifest.name in (ROOT / report[1]).read_text(encoding="utf-8")
    assert (folder / "recipe.yaml").read_bytes() == (ROOT / "training/recipes" / f"{manifest.name}.yaml").read_bytes()


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_no_graph_contains_paths_of_the_machine_that_exported_it(graph):
    assert not re.search(rb"\.py\b|site-packages|/home/|/root/", graph.read_bytes())

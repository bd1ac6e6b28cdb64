"""Example of docs/data.md: table, recipe, training, budget."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tocsin.config import check
from tocsin_training import recipe_file
from tocsin_training.data import options as table_options

session = pytest.importorskip("tocsin_training.session", reason="training needs PyTorch")

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


def block(kind, number=0):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[number]


def test_from_a_table_to_a_budget(tmp_path, monkeypatch):
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 40)
    header, *shown = block("csv").splitlines()
    assert len(shown) == 3
    records = tmp_path / "records"
    records.mkdir()
    rng = np.random.default_rng(1)
    began = datetime(2026, 3, 1, tzinfo=UTC)
    with (records / "pumps.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(header + "\n")
        table = csv.writer(file)
        for pump in range(12):
            flow = 30 + rng.standard_normal(1500)
            for minute in range(1500):
                taken = (began + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
                temp = "" if rng.random() < 0.1 else f"{41 + rng.standard_normal():.1f}"
                table.writerow([f"p{pump:02}", taken, f"{flow[minute]:.1f}", temp])
    recipe = tmp_path / "pumps.yaml"
    recipe.write_text(block("yaml"), encoding="utf-8")

    folder = session.run(
        recipe,
        out=tmp_path / "models",
        data=records,
        runs=tmp_path / "runs",
        seed=None,
        device="cpu",
        threads=1,
        curves=None,
        resume=False,
    )
    assert folder == tmp_path / "models" / "pumps" / "1"

    configuration = tmp_path / "tocsin.yaml"
    configuration.write_text(block("yaml", 1), encoding="utf-8")
    assert [str(fault) for fault in check(configuration).faults] == []


@pytest.mark.parametrize("split", sorted(set(re.findall(r"split: \{by: time[^}]*\}", PAGE))))
def test_times_in_a_recipe_are_written_as_the_page_writes_them(tmp_path, split):
    options = f"files: pumps.csv, stream: pump, time: taken, {split}"
    text = re.sub(r"  options:\n(    .*\n)*", f"  options: {{{options}}}\n", block("yaml"))
    (tmp_path / "pumps.yaml").write_text(text, encoding="utf-8")
    split = table_options.read(recipe_file.read(tmp_path / "pumps.yaml").data.options, "table").split
    assert split.by == "time"
    assert split.valid_from.endswith("T00:00:00Z")

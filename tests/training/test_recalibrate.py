"""Recalibration: adds a curve, keeps graph and card, and checks the budgets on other streams."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs PyTorch")

import toy_bundle

from tocsin.bundle import load
from tocsin_studies import budget_check
from tocsin_training import recipe_file
from tocsin_training.calibration import false_alarm_curve
from tocsin_training.data.sources import read
from tocsin_training.recalibrate import curve_data, recalibrate

RECIPE = """\
name: toy
version: "1"
summary: The mean of what was observed.
task: forecast
channels:
  - {name: hr, unit: /min, low: 0, high: 300}
  - {name: spo2, unit: "%", low: 0, high: 100}
data:
  source: tocsin_training.simulation.ward.vitals_source:normal
  curve_part: calibrate
  options: {calibrate_beds: 2, calibrate_hours: 1, check_beds: 2, check_hours: 1}
network: {cell: rnn}
training: {seed: 1}
serving:
  period_s: 1
  delta_cap_s: 60
  warm_up_ticks: 0
  max_gap_ticks: 60
  curve_delays_ticks: [[0, 0], [0, 2]]
sources:
  - {name: ward, licence: none, citation: none, part: none}
"""


def test_a_bundle_gets_its_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(false_alarm_curve, "OFTENEST", 5000.0)  # the score has no baseline: the alarm is always active
    folder = toy_bundle.write(tmp_path / "toy")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "CARD.md").write_text("# toy\n\nMade again by `x`, which lies beside this card.\n\nNot for wards.\n")
    graph = (folder / "model.onnx").read_bytes()
    recipe = recipe_file.read(folder / "recipe.yaml")

    made = recalibrate(folder, recipe, curve_data(recipe, tmp_path, tmp_path / "runs"))

    bundle = load(folder)
    assert bundle.manifest.calibration.curve == made
    assert made.stream_days == pytest.approx(2 / 24, rel=1e-3)
    assert {(rates.on_delay_ticks, rates.off_delay_ticks) for rates in made.rates} == {(0, 0), (0, 2)}
    assert (folder / "model.onnx").read_bytes() == graph
    assert (folder / "CARD.md").read_text().rstrip().endswith("Not for wards.")

    # The warm-up is measured as well: 0, as the score depends on the current frame alone.
    warm_up = {name: ticks for name, ticks in bundle.manifest.figures.items() if "pasts" in name}
    assert warm_up == {f"ticks until {share} of pasts agree": 1.0 for share in ("50%", "90%", "99%")}

    streams = read(recipe, "check", tmp_path)
    often = made.rates[0].per_day[-1]
    kept = budget_check.check(bundle, false_alarm_curve.engine_scores(bundle.model, streams), [often, 1e9])
    assert [entry.budget for entry in kept] == [often, often]  # for both delays; neither reaches the other budget
    table = budget_check.table(bundle, kept, "check")
    assert f"| 0, 0 | {often:g} | " in table
    low, high = kept[0].interval()
    assert low <= kept[0].ratio <= high

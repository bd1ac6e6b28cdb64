"""Recipes for tiny networks over toy data."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

TOY = """\
name: toy
version: "1"
summary: A toy.
task: {task}
channels:
  - {{name: a, unit: "1", low: 0, high: 200}}
  - {{name: b, unit: "1", low: 0, high: 200}}
  - {{name: c, unit: "1", low: 0, high: 200, expected: false}}
  - {{name: age, unit: a, low: 0, high: 120, kind: static}}
  - {{name: hours, unit: h, low: 0, high: 10000, kind: clock}}
data:
  source: toy:read
network:
  cell: {cell}
  layers: 2
  width: 8
  inputs: 6
  dropout: 0.1
  channel_features: [age, summary, trend, rate, envelope]
  decay: {decay}
  logarithmic: [c, hours]
score:
  kind: {score}
training:
  bptt: {bptt}
  precision: {precision}
  batch: 8
  epochs: {epochs}
  folds: {folds}
  static_dropout: 0.2
  seed: 3
serving:
  period_s: 60
  delta_cap_s: 3600
  warm_up_ticks: 1
  max_gap_ticks: 60
  horizon_s: 600
  false_alarms_per_day: 50
sources:
  - {{name: toy, licence: none, citation: none, part: train}}
"""


@pytest.fixture
def toy(tmp_path, monkeypatch, request):
    """Make a recipe file of the toy data, with changed options."""
    monkeypatch.syspath_prepend(request.path.parent)  # for sources and trainers defined in test modules
    torch.set_num_threads(1)

    def write(**changes):
        values = {
            "task": "forecast",
            "cell": "gru",
            "decay": "none",
            "score": "nll",
            "bptt": "full",
            "precision": "auto",
            "epochs": 2,
            "folds": 1,
        } | changes
        path = tmp_path / "toy.yaml"
        path.write_text(TOY.format(**values), encoding="utf-8")
        return path

    return write

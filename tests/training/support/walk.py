"""Recipes and streams for small networks of every task: random walks, every second one with a fall."""

from __future__ import annotations

import numpy as np

from tocsin_training.data.dataset import StreamDataset, StreamRecord

RECIPE = """\
name: walk
version: "1"
summary: A walk.
task: {task}
channels:
  - {{name: a, unit: "1", low: 0, high: 200}}
  - {{name: b, unit: "1", low: 0, high: 200}}
{extra}
data: {{source: "walk:read", options: {{task: {task}, streams: {streams}}}}}
network: {{cell: {cell}, width: {width}, distribution: {head}}}
loss: {{burn_in: 4}}
training: {{epochs: {epochs}, batch: 8, learning_rate: 0.02, seed: 3}}
serving: {{period_s: 60, delta_cap_s: 3600, warm_up_ticks: 1, max_gap_ticks: 60, horizon_s: 600}}
sources:
  - {{name: walk, licence: none, citation: none, part: train}}
"""
EXTRA = {
    "forecast": "",
    "alarm": "",
    "classify": "classes: [calm, falling]",
    "seq2seq": "horizon: {ticks: 4, quantiles: [0.1, 0.5, 0.9], width: 6, anchor_stride: 3}",
    "generate": '  - {name: level, unit: "1", low: 0, high: 200, kind: static}\nprofile: [level]',
}
LENGTH = 24


def read(request):
    """Random walks with steps of 2 per tick; every second stream falls by 5 per tick from its middle on."""
    random = np.random.default_rng(request.seed * 10 + len(request.part))
    records = []
    for number in range(int(request.options["streams"])):
        level, falls = random.uniform(90, 110), number % 2
        wander = np.cumsum(random.normal(0, 2, (LENGTH, 2)), axis=0)
        fall = 5.0 * falls * np.clip(np.arange(LENGTH) - LENGTH // 2, 0, None)
        values = level + wander - fall[:, None]
        values[random.random(values.shape) < 0.1] = np.nan
        if len(request.channels) == 3:
            values = np.column_stack([values, np.full(LENGTH, level)])
        label = (fall > 0).astype(np.float32)
        records.append(StreamRecord(f"s{number}", np.arange(LENGTH), values, label, label - 0.2 * (1 - label), falls))
    return StreamDataset.of(request.channels, request.period_s, request.delta_cap_s, records)

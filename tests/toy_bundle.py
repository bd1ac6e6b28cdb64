"""A bundle small enough to read: its score is the mean of what was observed, its state the step count and last x."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import onnx

GRAPH = """
<ir_version: 10, opset_import: ["": 20]>
toy (float[N, 2] x, float[N, 2] mask, float[N, 2] delta, float[N, 3] state)
    => (float[N] score, float[N, 2] contribution, float[N, 2] mean, float[N, 2] scale, float[N, 3] state_out)
<float[2, 1] ones = {1, 1}, float[1] one = {1}, int64[1] axis = {1},
 int64[1] first = {0}, int64[1] second = {1}, float[1] zero = {0}>
{
    seen = Mul(x, mask)
    total = MatMul(seen, ones)
    count = MatMul(mask, ones)
    ratio = Div(total, count)
    score = Squeeze(ratio, axis)
    contribution = Div(seen, count)
    mean = Identity(x)
    nothing = Mul(x, zero)
    scale = Add(nothing, one)
    steps = Slice(state, first, second, axis)
    more = Add(steps, one)
    state_out = Concat <axis = 1> (more, x)
}
"""

MANIFEST = {
    "name": "toy",
    "version": "1",
    "task": "forecast",
    "cell": "rnn",
    "summary": "The mean of what was observed.",
    "channels": [
        {"name": "hr", "unit": "/min", "low": 0, "high": 300},
        {"name": "spo2", "unit": "%", "low": 0, "high": 100},
    ],
    "period_s": 1,
    "state_size": 3,
    "warm_up_ticks": 0,
    "max_gap_ticks": 60,
    "delta_cap_s": 60,
    "calibration": {"scale": "surprise", "threshold": 100, "chosen_by": "hand"},
    "training": [{"name": "none", "licence": "none", "citation": "none", "part": "none"}],
    "figures": {},
}


def serialised(text: str = GRAPH) -> bytes:
    return onnx.parser.parse_model(text).SerializeToString()


def write(folder: Path, graph: bytes | None = None, **changes: object) -> Path:
    """Write a bundle; `changes` replace entries of its manifest."""
    folder.mkdir(parents=True)
    graph = serialised() if graph is None else graph
    (folder / "model.onnx").write_bytes(graph)
    manifest = {**MANIFEST, "sha256": hashlib.sha256(graph).hexdigest(), **changes}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder

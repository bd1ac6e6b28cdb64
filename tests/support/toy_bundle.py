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

# As that, but what it remembers shows: the score is the mean of what was observed plus the number of steps.
REMEMBERING = GRAPH.replace("    score = Squeeze(ratio, axis)\n", "").replace(
    "    state_out =", "    carried = Add(ratio, more)\n    score = Squeeze(carried, axis)\n    state_out ="
)

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

CLASSIFIER = """
<ir_version: 10, opset_import: ["": 20]>
toy (float[N, 2] x, float[N, 2] mask, float[N, 2] delta, float[N, 3] state)
    => (float[N] score, float[N, 2] contribution, float[N, 2] mean, float[N, 2] scale, float[N, 3] state_out,
        float[N, 3] class)
<float[2, 3] weights = {-0.1, 0, 0.1, 0, 0, 0}, int64[1] axis = {1}, int64[1] first = {0}, int64[1] second = {1},
 float[1] zero = {0}, float[1] one = {1}>
{
    logits = MatMul(x, weights)
    class = Softmax <axis = 1> (logits)
    normal = Slice(class, first, second, axis)
    other = Sub(one, normal)
    score = Squeeze(other, axis)
    contribution = Mul(x, zero)
    mean = Identity(x)
    scale = Add(contribution, one)
    state_out = Identity(state)
}
"""

SEQ2SEQ = """
<ir_version: 10, opset_import: ["": 20]>
toy (float[N, 2] x, float[N, 2] mask, float[N, 2] delta, float[N, 3] state)
    => (float[N] score, float[N, 2] contribution, float[N, 3, 2] mean, float[N, 3, 2] scale, float[N, 3] state_out,
        float[N, 2, 2] low, float[N, 2, 2] high)
<float[2, 1] ones = {1, 1}, int64[1] axis = {1}, float[3, 1] ahead = {1, 2, 3}, float[1] zero = {0}, float[1] one = {1},
 int64[1] last = {2}, float[2] spread = {0, 5}>
{
    contribution = Mul(x, mask)
    total = MatMul(contribution, ones)
    score = Squeeze(total, axis)
    now = Unsqueeze(x, axis)
    mean = Add(now, ahead)
    nothing = Mul(mean, zero)
    scale = Add(nothing, ahead)
    state_out = Identity(state)
    here = Unsqueeze(x, last)
    high = Add(here, spread)
    low = Sub(here, spread)
}
"""

INIT = """
<ir_version: 10, opset_import: ["": 20]>
init (float[N, 2] profile) => (float[N, 5] state)
<float[2, 5] weights = {0, 0, 0, 1, 0, 0, 0, 0, 0, 1}>
{
    state = MatMul(profile, weights)
}
"""


def serialised(text: str = GRAPH) -> bytes:
    return onnx.parser.parse_model(text).SerializeToString()


def sha256(graph: bytes) -> str:
    return hashlib.sha256(graph).hexdigest()


def write(folder: Path, graph: bytes | None = None, **changes: object) -> Path:
    """Write a bundle; `changes` replace entries of its manifest."""
    folder.mkdir(parents=True)
    graph = serialised() if graph is None else graph
    (folder / "model.onnx").write_bytes(graph)
    manifest = {**MANIFEST, "sha256": sha256(graph), **changes}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def write_with_statistics(folder: Path, **changes: object) -> Path:
    """A bundle with statistics of its score on normal streams."""
    rates = {"thresholds": [100.0], "per_day": [1.0], "on_delay_ticks": 0, "off_delay_ticks": 0}
    statistics = {"median": 60.0, "p90": 90.0, "log_std": 0.5}
    curve = {"stream_days": 50.0, "streams": 10, "data": "toys", "rates": [rates], "score_statistics": statistics}
    return write(folder, calibration={**MANIFEST["calibration"], "curve": curve}, **changes)


def write_classifier(folder: Path, **changes: object) -> Path:
    """Three classes of the pulse: the score is the probability that it isn't `slow`."""
    calibration = {"scale": "probability", "threshold": 0.5, "chosen_by": "hand"}
    entries = {"task": "classify", "classes": ["slow", "middling", "quick"], "calibration": calibration}
    return write(folder, serialised(CLASSIFIER), **(entries | changes))


def write_seq2seq(folder: Path, **changes: object) -> Path:
    """Three steps ahead everything is 1, 2 and 3 higher; the score is the sum of what was observed."""
    entries = {"task": "seq2seq", "horizon_ticks": 3, "quantiles": [0.5, 0.9]}
    return write(folder, serialised(SEQ2SEQ), **(entries | changes))


def write_generator(folder: Path, init: bytes | None = None, **changes: object) -> Path:
    """The profile goes into the state as it is; every frame is expected to be as the one before, give or take 1."""
    init = serialised(INIT) if init is None else init
    static = [{"name": name, "unit": "1", "low": 0, "high": 100, "kind": "static"} for name in ("age", "weight")]
    graph = GRAPH.replace("N, 2]", "N, 4]").replace("float[2, 1] ones = {1, 1}", "float[4, 1] ones = {1, 1, 1, 1}")
    graph = graph.replace("N, 3]", "N, 5]")
    entries = {
        "task": "generate",
        "channels": [*MANIFEST["channels"], *static],
        "profile": ["age", "weight"],
        "state_size": 5,
        "init_sha256": sha256(init),
    }
    write(folder, serialised(graph), **(entries | changes))
    (folder / "init.onnx").write_bytes(init)
    return folder

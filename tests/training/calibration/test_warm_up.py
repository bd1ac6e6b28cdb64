"""Warm-up measured by cutting the past away."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch")

import toy_bundle

from tocsin.bundle import load
from tocsin.bundle.calibration import Curve
from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.calibration import warm_up
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError

# The score is a running mean of hr with a decay of 0.9 per tick, initially 0.
LEAKING = """
<ir_version: 10, opset_import: ["": 20]>
toy (float[N, 2] x, float[N, 2] mask, float[N, 2] delta, float[N, 1] state)
    => (float[N] score, float[N, 2] contribution, float[N, 2] mean, float[N, 2] scale, float[N, 1] state_out)
<float[2, 1] first = {0.1, 0}, float[1] keep = {0.9}, int64[1] axis = {1}, float[1] zero = {0}, float[1] one = {1}>
{
    fresh = MatMul(x, first)
    old = Mul(state, keep)
    state_out = Add(old, fresh)
    score = Squeeze(state_out, axis)
    contribution = Mul(x, zero)
    mean = Identity(x)
    scale = Add(contribution, one)
}
"""
CURVE = {
    "data": "toys",
    "streams": 4,
    "stream_days": 100.0,
    "rates": [{"on_delay_ticks": 0, "off_delay_ticks": 0, "thresholds": [80.0, 100.0], "per_day": [4.0, 1.0]}],
}


def bundle(folder, **calibration):
    graph = toy_bundle.serialised(LEAKING)
    manifest = {**toy_bundle.MANIFEST["calibration"], **calibration}
    return toy_bundle.write(folder, graph, state_size=1, calibration=manifest, warm_up_ticks=3)


def steady(hr, length):
    channels = [ChannelEntry(**entry) for entry in toy_bundle.MANIFEST["channels"]]
    values = np.full((length, 2), np.nan)
    values[:, 0] = hr
    return StreamDataset.of(channels, 1.0, 60.0, [StreamRecord(f"s{k}", np.arange(length), values) for k in range(3)])


def test_the_warm_up_of_a_decaying_mean_matches_its_closed_form(tmp_path):
    toy = load(bundle(tmp_path / "toy", curve=CURVE))
    within = warm_up.noise(toy.manifest)
    # One onset a day in 100 days: the standard error is a tenth; the threshold is linear in the logarithm of the rate.
    assert within == pytest.approx(20 * np.log(1.1) / np.log(4) / 2, rel=1e-6)
    measured = warm_up.measure(toy, steady(80.0, 400), ticks=100, cuts=4)
    # The difference to 80 after frame k is 80 · 0.9^(k + 1).
    expected = int(np.ceil(np.log(within / 80) / np.log(0.9) - 1))
    assert measured.ticks == dict.fromkeys(warm_up.SHARES, expected)
    assert measured.cuts == 12


def test_a_score_that_never_converges_gets_a_lower_bound(tmp_path):
    toy = load(bundle(tmp_path / "toy", curve=CURVE))
    measured = warm_up.measure(toy, steady(80.0, 400), ticks=10, cuts=4)
    assert measured.ticks == dict.fromkeys(warm_up.SHARES)
    assert measured.figures["ticks until 50% of pasts agree, at least"] == 10


def test_a_measured_warm_up_is_recorded_and_the_graph_is_unchanged(tmp_path):
    folder = bundle(tmp_path / "toy", curve=CURVE)
    (folder / "CARD.md").write_text("# toy\n\nMade again by `x`, which lies beside this card.\n\nNot for wards.\n")
    before = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    for _ in range(2):
        warm_up.write(folder, warm_up.measure(load(folder), steady(80.0, 400), ticks=100, cuts=4))
    after = load(folder).manifest
    assert after.figures.keys() == {f"ticks until {share} of pasts agree" for share in ("50%", "90%", "99%")}
    assert after.warm_up_ticks == 3
    assert after.calibration.curve == Curve(**CURVE)
    assert hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest() == before == after.sha256
    assert (folder / "CARD.md").read_text().rstrip().endswith("Not for wards.")


def test_an_estimate_is_short_and_keeps_earlier_measurements(tmp_path):
    folder = bundle(tmp_path / "toy", curve=CURVE)
    (folder / "CARD.md").write_text("# toy\n\nMade again by `x`, which lies beside this card.\n")
    warm_up.estimate(folder, steady(80.0, 3))  # too short for an estimate
    assert not any("pasts" in name for name in load(folder).manifest.figures)
    warm_up.estimate(folder, steady(80.0, 40))
    estimated = load(folder).manifest.figures
    assert estimated["ticks until 50% of pasts agree, at least"] == 20
    warm_up.estimate(folder, steady(80.0, 400))
    assert load(folder).manifest.figures == estimated


def test_warm_up_cannot_be_measured_without_a_curve_or_long_streams(tmp_path):
    with pytest.raises(TrainingError, match="no curve of false alarms"):
        warm_up.noise(load(bundle(tmp_path / "bare")).manifest)
    with pytest.raises(TrainingError, match="no stream has 200 frames"):
        warm_up.measure(load(bundle(tmp_path / "toy", curve=CURVE)), steady(80.0, 150), ticks=100, cuts=4)

"""Outputs and manifest entries of each task, and refusals of bundles that lack them or have others."""

from __future__ import annotations

import numpy as np
import pytest
import toy_bundle

from tocsin.bundle import BundleError, load
from tocsin.config import check

SOUND = """\
sources:
  - topic: vitals/{ward}/{bed}
watches:
  ward:
    model: MODEL
    alarms:
      odd: {CONDITION: {}}
"""
WRITERS = {
    "forecast": toy_bundle.write,
    "alarm": lambda folder: toy_bundle.write(folder, task="alarm"),
    "classify": toy_bundle.write_classifier,
    "seq2seq": toy_bundle.write_seq2seq,
}


def step(bundle, rows):
    x = np.array(rows, dtype=np.float32)
    state = np.zeros((len(x), bundle.model.state_size), dtype=np.float32)
    return bundle.model.step(x, np.ones_like(x), np.zeros_like(x), state)


def test_a_classifier_gives_the_probability_of_each_class(tmp_path):
    bundle = load(toy_bundle.write_classifier(tmp_path / "toy"))
    result = step(bundle, [[10, 97], [0, 97]])
    np.testing.assert_allclose(result.classes.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(result.score, 1 - result.classes[:, 0], rtol=1e-6)
    assert result.classes[0].argmax() == 2
    np.testing.assert_allclose(result.classes[1], 1 / 3, rtol=1e-6)
    assert result.low is None


def test_a_seq2seq_gives_the_next_frames_and_the_extremes(tmp_path):
    bundle = load(toy_bundle.write_seq2seq(tmp_path / "toy"))
    result = step(bundle, [[80, 97]] * 17)
    assert result.mean[16].tolist() == [[81, 98], [82, 99], [83, 100]]
    assert result.high[16].tolist() == [[80, 85], [97, 102]]
    assert result.low[16].tolist() == [[80, 75], [97, 92]]
    mean, scale = result.following
    assert (mean[0].tolist(), scale[0].tolist()) == ([81, 98], [1, 1])


def test_a_generator_makes_a_state_from_a_profile(tmp_path):
    bundle = load(toy_bundle.write_generator(tmp_path / "toy"))
    profile = np.array([[70, 60], [20, 90]], dtype=np.float32)
    assert bundle.initial_state(profile).tolist() == [[0, 0, 0, 70, 60], [0, 0, 0, 20, 90]]


@pytest.mark.parametrize(
    ("write", "changes", "message"),
    [
        (toy_bundle.write, {"classes": ["a", "b"]}, "classes belongs to task classify, and task is forecast"),
        (toy_bundle.write_classifier, {"classes": None}, "classes is missing for task classify"),
        (toy_bundle.write_classifier, {"classes": ["a", "a", "b"]}, "classes must differ: a, a, b"),
        (toy_bundle.write_classifier, {"classes": ["a", "b"]}, r"output 'class' has shape \(257, 3\) for 257 rows"),
        (toy_bundle.write_seq2seq, {"horizon_ticks": 4}, r"'mean' has shape \(257, 3, 2\) .* says \(257, 4, 2\)"),
        (toy_bundle.write_seq2seq, {"quantiles": [0.9, 0.5]}, "quantiles must differ and ascend: 0.9, 0.5"),
        (
            toy_bundle.write_seq2seq,
            {"quantiles": [0.1, 0.5, 0.9]},
            r"'low' has shape \(257, 2, 2\) .* says \(257, 2, 3\)",
        ),
        (toy_bundle.write_seq2seq, {"df": [3]}, "df has 1 entries for 2 channels"),
        (toy_bundle.write_generator, {"profile": ["age"]}, r"profile is age \(legal: the static channels: age, weight"),
        (toy_bundle.write_generator, {"init_sha256": None}, "init_sha256 is missing for task generate"),
        (toy_bundle.write_generator, {"init_sha256": "0" * 64}, "init.onnx has sha256 .*, the manifest says 0000"),
        (toy_bundle.write_generator, {"init": b"other", "init_sha256": toy_bundle.sha256(b"other")}, "init.onnx: ONNX"),
        (toy_bundle.write_seq2seq, {"task": "classify"}, "classes is missing for task classify"),
    ],
)
def test_a_manifest_with_entries_of_another_task_is_refused(tmp_path, write, changes, message):
    with pytest.raises(BundleError, match=message):
        load(write(tmp_path / "toy", **changes))


def test_a_graph_without_its_task_s_output_is_refused(tmp_path):
    graph = toy_bundle.serialised()
    with pytest.raises(BundleError, match="outputs class are missing"):
        load(toy_bundle.write(tmp_path / "toy", graph, task="classify", classes=["a", "b"]))


@pytest.mark.parametrize(
    ("task", "condition", "other"),
    [
        ("forecast", "anomaly", "probability"),
        ("seq2seq", "anomaly", "probability"),
        ("alarm", "probability", "anomaly"),
        ("classify", "probability", "anomaly"),
    ],
)
def test_a_watch_raises_an_alarm_by_the_score_of_the_task(tmp_path, task, condition, other):
    WRITERS[task](tmp_path / "toy")
    file = tmp_path / "tocsin.yaml"
    file.write_text(SOUND.replace("MODEL", "toy").replace("CONDITION", condition))
    assert check(file).faults == []
    file.write_text(SOUND.replace("MODEL", "toy").replace("CONDITION", other))
    (fault,) = check(file).faults
    assert f"{other} needs a model of task" in str(fault)
    assert f"toy is of task {task}: use {condition}" in str(fault)


def test_a_generator_cannot_be_used_in_a_watch(tmp_path):
    toy_bundle.write_generator(tmp_path / "toy")
    file = tmp_path / "tocsin.yaml"
    file.write_text(SOUND.replace("MODEL", "toy").replace("CONDITION", "anomaly"))
    (fault,) = check(file).faults
    assert "toy is of task generate: it makes streams and judges none" in str(fault)
    assert "tocsin generate" in str(fault)

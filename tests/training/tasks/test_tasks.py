"""Every cell and task: training, export, and a run in the daemon's engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from walk import EXTRA, LENGTH, RECIPE

from tocsin.bundle import load
from tocsin.engine import Alarm, Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.forecast import falls_below
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, Priority
from tocsin_training import recipe_file
from tocsin_training.errors import TrainingError
from tocsin_training.export import bundle_folder
from tocsin_training.pipeline import train_bundle

S = 1_000_000_000
START = 1_700_000_000 * S // (60 * S) * 60 * S


@pytest.fixture
def bundle_of(tmp_path, monkeypatch):
    """Train and load a bundle, quickly."""
    monkeypatch.setattr("tocsin_training.export.parity.STEPS", 12)
    monkeypatch.setattr("tocsin_training.export.parity.ROWS", (1, 2, 65))
    torch.set_num_threads(1)

    def bundle(task, cell, **changes):
        values = {"task": task, "cell": cell, "extra": EXTRA[task], "head": "normal"}
        values |= {"width": 6, "epochs": 1, "streams": 12} | changes
        path = tmp_path / f"{task}-{cell}.yaml"
        path.write_text(RECIPE.format(**values), encoding="utf-8")
        recipe = recipe_file.read(path)
        made = train_bundle(recipe, tmp_path, runs=tmp_path / "runs", device=torch.device("cpu"))
        return load(bundle_folder.write(tmp_path / "models", made.manifest, made.graph, path, init=made.init))

    return bundle


def watched(bundle, threshold=1e9):
    """Last scores and events of the engine for a calm stream and a falling one."""
    odd = Alarm("odd", ScoreAbove(threshold), Priority.HIGH, Category.PHYSIOLOGICAL, 0, 0)
    engine = Engine(Watch(bundle.model, (odd,), FrameClock(lateness_ns=0, frame_timeout_ns=S), max_streams=10))
    scores, events = {}, []
    for k in range(LENGTH):
        values = {"calm": 100.0 + (-1) ** k, "falling": 100.0 - 5 * max(k - LENGTH // 2, 0)}
        readings = [(name, START + k * 60 * S, {"a": value, "b": value}) for name, value in values.items()]
        outcome = engine.apply(Readings.of(readings), START + k * 60 * S)
        events += outcome.events
        for steps in outcome.steps:
            scores |= {engine.table.names[row]: steps.score[i] for i, row in enumerate(steps.rows)}
    return scores, events


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("task", ["forecast", "alarm", "classify", "seq2seq"])
def test_every_cell_learns_every_task_and_the_engine_runs_it(bundle_of, task, cell):
    head = "student_t" if cell == "gru" else "normal"
    bundle = bundle_of(task, cell, head=head)
    assert (bundle.manifest.task, bundle.manifest.cell) == (task, cell)
    scores, _ = watched(bundle)
    assert all(np.isfinite(score) for score in scores.values())
    if bundle.manifest.task.judges_by_probability:
        assert all(0 < score < 1 for score in scores.values())
        assert bundle.manifest.calibration.scale == "probability"
    assert (bundle.manifest.df is not None) == (head == "student_t")


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_cell_learns_to_generate(bundle_of, cell):
    bundle = bundle_of("generate", cell)
    low, high = bundle.initial_state(np.array([[80], [120]], dtype=np.float32))
    assert not np.array_equal(low, high)


def test_a_classifier_separates_a_falling_stream_from_a_calm_one(bundle_of):
    bundle = bundle_of("classify", "gru", epochs=12, streams=48)
    scores, events = watched(bundle, threshold=0.5)
    assert scores["falling"] > 0.8
    assert scores["calm"] < 0.5
    assert {event.stream for event in events} == {"falling"}
    assert "probability" in events[-1].report.reason
    assert bundle.manifest.figures["held-out AUROC, end of stream"] > 0.9


def test_a_decoder_forecasts_the_end_of_a_fall_and_its_uncertainty(bundle_of):
    """Calm streams have steps of 2 per tick, so the minimum of four frames is about 2 below the last."""
    bundle = bundle_of("seq2seq", "gru", epochs=25, streams=48, width=12)
    state = np.zeros((1, bundle.model.state_size), dtype=np.float32)
    for k in range(LENGTH - 4):
        x = np.full((1, 2), 100 - 5 * max(k - LENGTH // 2, 0), dtype=np.float32)
        result = bundle.model.step(x, np.ones_like(x), np.full_like(x, 60 * (k > 0)), state)
        state = result.state
    fall = float(x[0, 0] - result.mean[0, -1, 0])
    assert 8 < fall < 30, "a fall of 5 per tick for four ticks"
    chances = [falls_below(x[0, 0] - below, result.low[0, 0], np.array([0.1, 0.5, 0.9])) for below in (0, 10, 60)]
    assert chances[0] > 0.8
    assert chances == sorted(chances, reverse=True)
    assert chances[2] < 0.1
    assert (np.diff(result.low[0], axis=1) > 0).all()
    assert (np.diff(result.high[0], axis=1) > 0).all()


@pytest.mark.parametrize(
    ("task", "extra", "message"),
    [
        ("classify", "", "recipe: task classify needs classes; add it"),
        ("forecast", EXTRA["seq2seq"], "horizon belongs to task seq2seq alone, and task is forecast"),
        ("generate", "profile: [a]", r"profile has to name every static channel once \(there is none\)"),
        ("seq2seq", "horizon: {ticks: 4, quantiles: [0.9, 0.1]}", r"quantiles 0.9, 0.1 do not ascend; sort them"),
        ("seq2seq", EXTRA["seq2seq"] + "\nscore: {kind: departure}", "score.kind departure fits task forecast only"),
        ("classify", "classes: [x, y, z]", "no stream of part train is of class z; give streams of every class"),
        ("classify", "classes: [x, y, y]", "recipe: classes x, y, y names one twice; remove it"),
    ],
)
def test_a_recipe_with_options_of_another_task_is_refused(bundle_of, task, extra, message):
    with pytest.raises(TrainingError, match=message):
        bundle_of(task, "gru", extra=extra)

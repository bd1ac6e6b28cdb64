"""The engine runs a graph of any task that judges, and knows none of them."""

from __future__ import annotations

import numpy as np
import pytest
import toy_bundle

from tocsin.bundle import load
from tocsin.engine import Alarm, Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, Priority

S = 1_000_000_000
START = 1_700_000_000 * S


def watching(folder, threshold):
    odd = Alarm("odd", ScoreAbove(threshold), Priority.HIGH, Category.PHYSIOLOGICAL, 0, 0)
    return Engine(Watch(load(folder).model, (odd,), FrameClock(lateness_ns=0, frame_timeout_ns=S), max_streams=1000))


def apply(engine, at, **readings):
    """One reading of each stream, its pulse."""
    t = START + at * S
    return engine.apply(Readings.of([(s, t, {"hr": hr, "spo2": 97}) for s, hr in readings.items()]), t)


def test_the_band_of_a_frame_is_the_first_step_that_was_expected_before_it(tmp_path):
    engine = watching(toy_bundle.write_seq2seq(tmp_path / "toy"), 230)
    assert np.isnan(apply(engine, 0, bed=80).steps[0].mean).all()
    result = apply(engine, 1, bed=140)
    (steps,) = result.steps
    assert steps.mean.tolist() == [[81, 98]]
    assert steps.scale.tolist() == [[1, 1]]
    (change,) = result.events
    assert change.report.reason.startswith("score 237, threshold 230")
    assert change.report.evidence[0].mean in {81, 98}


def test_a_classifier_raises_alarms_by_the_probability_of_another_class_than_the_first(tmp_path):
    engine = watching(toy_bundle.write_classifier(tmp_path / "toy"), 0.8)
    assert apply(engine, 0, bed=0).events == []
    (change,) = apply(engine, 1, bed=100).events
    assert change.report.reason == "probability 1, threshold 0.8"


@pytest.mark.parametrize("write", [toy_bundle.write_classifier, toy_bundle.write_seq2seq])
def test_streams_do_not_mix(tmp_path, write):
    """A stream among 700 others, which fill more than one padded call, is as it is alone."""
    others = {f"other-{n}": 40 + n % 100 for n in range(700)}
    seen = []
    for beside in ({}, others):
        engine = watching(write(tmp_path / f"toy-{len(beside)}"), 1e9)
        results = [apply(engine, at, **beside, bed=60 + at) for at in range(4)]
        row = engine.table.names.index("bed")
        rows = [(steps, list(steps.rows).index(row)) for result in results for steps in result.steps]
        seen.append([part[i].tobytes() for steps, i in rows for part in (steps.score, steps.mean, steps.scale)])
    assert seen[0] == seen[1]

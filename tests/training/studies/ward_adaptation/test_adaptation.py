"""Study of adaptation: out-of-distribution patients, re-evaluated scores, baselines, tables."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.bundle import load, shipped_folder
from tocsin.engine import Alarm, Engine, FrameClock, Readings, Watch
from tocsin.engine.conditions.adaptation import Adaptation
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.events import Category, ConditionEventKind, Priority
from tocsin_studies.ward_adaptation import measure
from tocsin_studies.ward_adaptation.baselines import Conformal, Quotient
from tocsin_studies.ward_adaptation.out_of_distribution import NO_FRAME, out_of_distribution_profile, scores
from tocsin_studies.ward_adaptation.rethreshold import judged
from tocsin_training.simulation.ward import parameters
from tocsin_training.simulation.ward.simulator import CHANNELS, Ward

S = 10**9
TICKS = 1200
LIKE = Adaptation(middle=0.17, high=0.36, max_ratio=4.0, settle_ticks=300, step=0.001)
ALARM = Alarm("odd", ScoreAbove(0.3), Priority.HIGH, Category.PHYSIOLOGICAL, 3 * S, 10 * S)


@pytest.fixture(scope="module")
def bundle():
    return load(shipped_folder() / "ward-vitals" / "1")


def wards():
    return [Ward(31 + bed, 1, profile=out_of_distribution_profile) for bed in range(3)]


@pytest.fixture(scope="module")
def engine_scores(bundle):
    return scores(bundle.model, wards(), 1)[:TICKS]


def test_all_baselines_of_an_out_of_distribution_patient_lie_outside_the_training_range():
    for seed in range(20):
        patient = out_of_distribution_profile(np.random.default_rng(seed))
        for baseline, typical in (
            (patient.hr, parameters.BASELINE_HR),
            (patient.spo2, parameters.BASELINE_SPO2),
            (patient.rr, parameters.BASELINE_RR),
            (patient.temp, parameters.BASELINE_TEMP),
        ):
            assert not typical.low <= baseline <= typical.high
        assert patient.pulse_pressure > 0


@pytest.mark.parametrize("like", [None, LIKE])
def test_re_evaluated_scores_give_the_alarms_of_the_engine(bundle, engine_scores, like):
    watching = Engine(Watch(bundle.model, [ALARM], FrameClock(0, S), 3, adaptation=like))
    values = np.concatenate([ward.read(TICKS) for ward in wards()])  # (3, T, C)
    onsets = []
    for second in range(TICKS):
        came = np.flatnonzero(~np.isnan(values[:, second]).all(axis=1)).astype(np.int32)
        readings = Readings(["0", "1", "2"], CHANNELS, came, np.full(len(came), second * S), values[came, second])
        changes = watching.apply(readings, second * S).events
        onsets += [(change.stream, change.t // S) for change in changes if change.kind is ConditionEventKind.ACTIVE]
    course = judged(bundle.model, [ALARM], engine_scores, like)
    again = [(str(stream), tick) for stream, ticks in enumerate(course.began["odd"]) for tick in ticks]
    assert sorted(again) == sorted(onsets)
    assert len(onsets) > 0
    assert course.up.shape == (1, 3)


def test_a_conformal_threshold_is_exceeded_at_its_nominal_rate():
    rng, rows, up = np.random.default_rng(3), np.arange(2), np.zeros(2, dtype=bool)
    rule = Conformal(1.0, 0.05, 0.02, 10.0, 2, freezes=False)
    passed = []
    for _ in range(20_000):
        score = (np.array([0.5, 1.5]) * np.exp(0.3 * rng.standard_normal(2))).astype(np.float32)
        passed.append(rule.adapted(score, rows) >= 1.0)
        rule.learn(score, rows, up)
    quiet, loud = np.mean(passed[5000:], axis=0)
    assert loud == pytest.approx(0.05, abs=0.01)
    assert quiet < 0.02  # it does not fall below the calibrated one


def test_a_frozen_conformal_threshold_does_not_change():
    rule = Conformal(1.0, 0.05, 0.02, 10.0, 1, freezes=True)
    score, row = np.array([3.0], np.float32), np.arange(1)
    rule.learn(score, row, np.array([True]))
    assert rule.adapted(score, row).tolist() == [3.0]
    rule.learn(score, row, np.array([False]))
    assert rule.adapted(score, row)[0] < 3.0


def test_the_ratio_compares_a_streams_high_scores_with_the_calibrated_ones():
    rng, row = np.random.default_rng(4), np.arange(1)
    rule = Quotient(LIKE, 0.9, 1)
    assert rule.adapted(np.array([1.0], np.float32), row)[0] == pytest.approx(1 / LIKE.max_ratio)
    for _ in range(5000):
        score = (2 * LIKE.high * np.exp(0.2 * (rng.standard_normal(1) - 1.28))).astype(np.float32)
        rule.learn(score, row, np.array([False]))
    assert rule.adapted(np.array([1.0], np.float32), row)[0] == pytest.approx(0.5, rel=0.1)


def test_the_tables_count_onsets_and_detections(bundle):
    score = np.full((3600, 2), 0.1, dtype=np.float32)
    score[600:700, 1] = score[1800:1900, 1] = 3.0  # above any threshold, twice
    score[100, :] = NO_FRAME
    well = measure.Patients(score, [], [])
    methods = [measure.Method("as it is")]
    rows = measure.kept_table(bundle, well, methods).splitlines()
    assert rows[5:] == ["| as it is | 0.5 | 0.00 (0.00 to 0.00) | 0.00 | 48.00 (48.00 to 48.00) | 96.00 | 8.3% |"]
    episode = measure.draw(measure.EpisodeKind.SEPSIS, "ward/bed-1", 1000, np.random.default_rng(1))
    ill = measure.Patients(score, [episode, episode], ["sepsis", "sepsis"])
    assert measure.found_table(bundle, [ill], methods).splitlines()[2:] == [
        "| as it is | in distribution | 0 of 1 |",
        "| as it is | out of distribution | 1 of 1, 810 s |",
    ]

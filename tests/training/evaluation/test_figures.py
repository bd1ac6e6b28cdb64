"""Figures of an evaluation, counted by hand on small scores and compared with reference implementations."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from tocsin.bundle.manifest import ChannelEntry
from tocsin_training.backtest.onsets import Delays
from tocsin_training.bundles.icu_hourly import utility as challenge
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.evaluation import bootstrap, detection, nab, ranking_replicates, reliability, utility
from tocsin_training.evaluation.detection import GroundTruth

CHANNELS = (ChannelEntry(name="a", unit="1", low=-1e9, high=1e9),)
NO_DELAYS = Delays()


def ground(labels, horizon_s=0.0, period_s=60.0):
    records = [
        StreamRecord(str(b), np.arange(len(label)), np.zeros((len(label), 1)), np.array(label, dtype=np.float32))
        for b, label in enumerate(labels)
    ]
    data = StreamDataset.of(CHANNELS, period_s, 600.0, records)
    return GroundTruth.of(data, period_s, horizon_s, bootstrap.weights(len(records)))


def drawn(streams=30, ticks=200, seed=0):
    """Windows of single events in every third stream, and a score that is higher inside."""
    random = np.random.default_rng(seed)
    labels = [np.where((np.arange(ticks) >= 120) & (b % 3 == 0), 1.0, 0.0) for b in range(streams)]
    score = random.standard_normal(streams * ticks) + np.concatenate(labels)
    return ground(labels), score


def test_alarms_of_two_streams_by_hand():
    made = ground([[0, 0, 1, 1, 1, 0], [0, 1, 1, 0, np.nan, 0]])
    is_up = np.array([1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0]) > 0
    operation = detection.operation(made, 0.5, np.array([0, 3, 10]), is_up)
    assert (operation.events, operation.detected, operation.false, operation.repeats) == (2, 1, 1, 0)
    assert operation.delays_s == [60, np.inf]
    figures = {name: figure.value for name, figure in operation.figures.items()}
    assert figures["recall"] == figures["precision"] == figures["F1"] == 0.5
    assert figures["false alarms a day"] == pytest.approx(1 / (6 / 1440)), (
        "six normal minutes; the label of one is unknown"
    )
    assert figures["time in alarm"] == pytest.approx(1 / 6)
    assert figures["delay, median"] == 60
    assert figures["delay, p90"] == np.inf


def test_single_label_streams_give_only_the_metrics_that_are_defined():
    made, score = ground([[1, 1], [0, 0], [0, 0]]), np.array([0.9, 0.8, 0.1, 0.3, 0.2, 0.1])
    metrics = ranking_replicates.replicates(made, score)
    assert set(metrics) == {"average precision", "AUROC"}, "any score would get a VUS-PR of 1"
    assert "VUS-PR" in ranking_replicates.replicates(ground([[0, 1], [1, 1]]), score[:4])
    skill = reliability.figures(made, score, reliability.bins(made, score))["Brier skill"]
    assert np.isfinite([skill.value, skill.low, skill.high]).all(), "some replicates draw one label alone"


def test_with_a_horizon_delays_are_leads():
    made = ground([[0, 1, 1, 1, 1, 1]], horizon_s=180.0)
    operation = detection.operation(made, 0.5, np.array([2]), np.arange(6) == 2)
    assert operation.delays_s == [-120], "two minutes before the event, whose onset is three minutes after its label"


def test_an_alarm_that_never_ends_detects_nothing():
    made = ground([[0, 1, 1, 0, 1, 1]])
    operation = detection.operation(made, 0.5, np.array([0]), np.ones(6, dtype=bool))
    assert (operation.detected, operation.standing, operation.false) == (0, 2, 1)


def test_intervals_hold_the_figure_and_narrow_with_streams():
    def width(streams):
        made, score = drawn(streams)
        recall = detection.operation(made, 3.0, *detection.alarm_rows(made, score, 3.0, NO_DELAYS)).figures["precision"]
        assert recall.low <= recall.value <= recall.high
        return recall.high - recall.low

    assert width(240) < 0.6 * width(30)


def test_one_stream_has_no_interval():
    made, score = drawn(streams=1)
    operation = detection.operation(made, 1.0, *detection.alarm_rows(made, score, 1.0, NO_DELAYS))
    for figure in operation.figures.values():
        assert np.isnan([figure.low, figure.high]).all()
    ranked = bootstrap.figures(ranking_replicates.replicates(made, score))
    assert 0 < ranked["AUROC"].value < 1
    assert np.isnan(ranked["AUROC"].low)


def test_an_equal_rate_of_false_alarms_is_found():
    made, score = drawn()
    swept = detection.curve(made, score, NO_DELAYS, [])
    for per_day in (2.0, 20.0, 60.0):
        threshold = detection.at_rate(made, score, NO_DELAYS, swept, per_day)
        false = detection.operation(made, threshold, *detection.alarm_rows(made, score, threshold, NO_DELAYS)).false
        days = made.days.sum()
        assert per_day - 2 / days <= false / days <= per_day, "within one alarm of the requested rate"
    assert (
        detection.at_rate(
            made, np.ones_like(score), NO_DELAYS, detection.curve(made, np.ones_like(score), NO_DELAYS, []), 1.0
        )
        is None
    )


def test_ranking_figures_are_scikit_learn_s_and_replicates_come_near():
    made, score = drawn()
    score[::17] = np.nan
    figures = {name: values[0] for name, values in ranking_replicates.replicates(made, score).items()}
    ranked = np.nan_to_num(score, nan=-99.0)
    assert figures["average precision"] == pytest.approx(average_precision_score(made.label, ranked))
    assert figures["AUROC"] == pytest.approx(roc_auc_score(made.label, ranked))
    precision, area = ranking_replicates._binned(made, ranked, np.ones(len(ranked), dtype=bool))  # noqa: SLF001  (replicate 0 is the data themselves)
    assert precision[0] == pytest.approx(figures["average precision"], abs=0.005)
    assert area[0] == pytest.approx(figures["AUROC"], abs=0.002)
    assert 0 < figures["VUS-PR"] < 1


def test_the_utility_is_the_challenge_s():
    random = np.random.default_rng(1)
    labels = [np.where((np.arange(40) >= 20) & (b % 2 == 0), 1.0, 0.0).astype(np.float32) for b in range(10)]
    made = ground(labels, period_s=3600.0)
    gain = np.concatenate([alarm - silence for silence, alarm in map(challenge.rows, labels)])
    alarm_onsets = random.random(len(gain)) < 0.3
    wanted = challenge.normalised(alarm_onsets, np.concatenate(labels), made.start)
    assert utility.utility(made, gain, alarm_onsets)[0] == pytest.approx(wanted)


def test_events_may_be_windows_of_the_numenta_benchmark():
    label = np.zeros(400)
    label[200:240] = 1
    made = ground([label, label])
    score = np.zeros(800)
    score[[205, 350, 700]] = 1.0, 0.4, 0.6
    found = utility.nab_scores(made, score, 0.5)
    truth = nab.labels(400, [(200, 239)])
    assert found["NAB score"][0] == nab.at([score[:400], score[400:]], [truth, truth], 0.5).score
    assert found["NAB score, best threshold"][0] >= found["NAB score"][0]


def test_a_calibrated_probability_is_reliable_and_a_wrong_one_is_not():
    random = np.random.default_rng(2)
    probability = random.random(20_000) ** 3
    label = (random.random(20_000) < probability).astype(float)
    made = ground(label.reshape(100, 200))
    bins = reliability.bins(made, probability)
    assert [one.rows for one in bins] == [2000] * 10
    assert all(one.observed.low - 0.02 <= one.predicted <= one.observed.high + 0.02 for one in bins)
    right = reliability.figures(made, probability, bins)
    assert right[reliability.BRIER].value == pytest.approx(brier_score_loss(label, probability))
    assert right[reliability.ERROR].value < 0.01
    half = reliability.figures(made, probability / 2, reliability.bins(made, probability / 2))
    assert half[reliability.ERROR].value > 0.1
    assert half[reliability.SKILL].value < right[reliability.SKILL].value


def test_a_budget_is_compared_with_the_realised_alarms():
    made, score = drawn()
    realised = detection.operation(made, 3.0, *detection.alarm_rows(made, score, 3.0, NO_DELAYS))
    (budget,) = reliability.budgets(made, score, NO_DELAYS, {0.5: 3.0})
    assert budget.realised == realised.figures["false alarms a day"]
    assert budget.expected == pytest.approx(0.5 * made.days.sum())

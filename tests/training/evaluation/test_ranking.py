"""Average precision, and VUS-PR compared with the package of its authors."""

import numpy as np
import pytest

from tocsin_training.errors import TrainingError
from tocsin_training.evaluation.ranking import average_precision, vus_pr


def stream(seed, ticks, stretches, *, rounded=False):
    random = np.random.default_rng(seed)
    label = np.zeros(ticks)
    for a, b in stretches:
        label[a : b + 1] = 1
    score = random.standard_normal(ticks) + 1.5 * np.convolve(label, np.ones(9) / 9, "same")
    return label, np.round(score) if rounded else score


@pytest.mark.parametrize(
    ("seed", "ticks", "stretches", "buffer", "rounded", "authors"),
    [
        (0, 400, [(50, 80), (90, 95), (300, 340)], 40, False, 0.6935697060172342),
        (1, 600, [(0, 20), (100, 101), (580, 599)], 60, True, 0.31942016237975995),  # at the ends, with ties
        (2, 1000, [(200, 260), (500, 510), (530, 540), (800, 801)], 100, False, 0.4640332583093022),
    ],
)
def test_equals_the_authors_package(seed, ticks, stretches, buffer, rounded, authors):
    """The figures are those of vus 0.0.6, `metricor().RangeAUC_volume_opt`."""
    label, score = stream(seed, ticks, stretches, rounded=rounded)
    assert vus_pr(label, score, buffer) == pytest.approx(authors, abs=1e-12)


def test_without_a_buffer_it_is_near_the_average_precision():
    label, score = stream(3, 5000, [(400, 600), (2000, 2200)])
    assert vus_pr(label, score, 0) == pytest.approx(average_precision(label, score), abs=0.02)


def test_only_the_order_of_scores_counts():
    label, score = stream(4, 800, [(100, 150)])
    assert vus_pr(label, np.exp(score), 50) == vus_pr(label, score, 50)


@pytest.mark.parametrize("metric", [average_precision, vus_pr])
def test_scores_that_cannot_be_ranked_are_refused(metric):
    with pytest.raises(TrainingError, match="no row is labelled anomalous"):
        metric(np.zeros(9), np.arange(9.0))
    with pytest.raises(TrainingError, match="1 scores are NaN"):
        metric(np.ones(2), np.array([1.0, np.nan]))
    with pytest.raises(TrainingError, match=r"labels \(3,\) and scores \(2,\)"):
        metric(np.ones(3), np.ones(2))

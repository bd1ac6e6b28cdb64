from pathlib import Path

import numpy as np
import pytest

from tocsin_studies.sensor_nab import baselines, corpus
from tocsin_training.errors import TrainingError
from tocsin_training.evaluation import nab

DATA = Path(__file__).parents[3] / "../shared/data"


def plainly(scores, truths, threshold):
    """The score by its definition, window by window."""
    total = 0.0
    for score, truth in zip(scores, truths, strict=True):
        alarm_onsets = (score >= threshold) & truth.scored
        total += truth.reward[alarm_onsets & (truth.window < 0)].sum()
        for window in range(truth.windows):
            found = truth.reward[alarm_onsets & (truth.window == window)]
            total += found.max() if len(found) else -1.0
    return nab.normalised(total, sum(truth.windows for truth in truths))


def test_the_sweep_gives_what_the_definition_gives_at_every_threshold():
    random = np.random.default_rng(1)
    truths = [nab.labels(400, [(100, 130), (300, 310)]), nab.labels(300, []), nab.labels(500, [(20, 60)])]
    scores = [random.random(len(truth.reward)).round(2) for truth in truths]  # rounded: many scores are equal
    scores[0][200:210] = np.nan
    every = np.unique(np.concatenate(scores))
    every = every[~np.isnan(every)]
    wanted = [plainly(scores, truths, threshold) for threshold in every]
    assert [nab.at(scores, truths, threshold).score for threshold in every] == pytest.approx(wanted)
    assert nab.best(scores, truths).score == pytest.approx(max(*wanted, 0.0))


def test_silence_is_0_and_the_first_row_of_each_window_100():
    truths = [nab.labels(400, [(100, 130), (300, 310)])]
    perfect = np.zeros(400)
    perfect[[100, 300]] = 1.0
    assert nab.best([perfect], truths).score == pytest.approx(100.0)
    assert nab.best([np.zeros(400)], truths).score == pytest.approx(0.0)


def test_only_the_first_detection_in_a_window_counts():
    truth = nab.labels(400, [(100, 130)])
    once, often = np.zeros(400), np.zeros(400)
    once[110] = 1.0
    often[110:131] = 1.0
    assert nab.at([often], [truth], 1.0) == nab.at([once], [truth], 1.0)


def test_labels_without_any_window_are_refused():
    with pytest.raises(TrainingError, match="no series has a labelled window"):
        nab.best([np.zeros(100)], [nab.labels(100, [])])


@pytest.mark.skipif(not (DATA / corpus.FOLDER).exists(), reason="the benchmark's series are not here")
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("realAWSCloudwatch/ec2_cpu_utilization_24ae8d.csv", -1.266678759349383),
        ("realAWSCloudwatch/ec2_cpu_utilization_c6585a.csv", -1.3200000000000003),
        ("realAWSCloudwatch/ec2_network_in_257a54.csv", 0.8606718242697022),
        ("realAWSCloudwatch/rds_cpu_utilization_cc0c53.csv", -0.13844919792440225),
    ],
)
def test_windowed_gaussian_gets_what_its_makers_published(name, published):
    series = corpus.series(DATA / corpus.FOLDER, name)
    alarm_onsets = (baselines.windowed_gaussian(series.value) >= 1.0) & series.truth.scored
    found = [
        series.truth.reward[alarm_onsets & (series.truth.window == window)] for window in range(series.truth.windows)
    ]
    total = series.truth.reward[alarm_onsets & (series.truth.window < 0)].sum()
    assert total + sum(part.max() if len(part) else -1.0 for part in found) == pytest.approx(published, abs=1e-9)

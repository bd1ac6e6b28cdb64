"""T² and Q on synthetic rows, and their published figures on real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tocsin_training.errors import TrainingError
from tocsin_training.evaluation.pca import PcaModel

polars = pytest.importorskip("polars")
SENSORS = Path(__file__).parents[4] / "shared" / "data" / "sensors"
needs_records = pytest.mark.skipif(not SENSORS.exists(), reason=f"{SENSORS} is no part of the repository")


def rows(count=2000, seed=0):
    """Five channels driven by two factors."""
    mixing = np.array([[1.0, 0.8, 0.0, -1.0, 0.5], [0.0, 0.6, 1.0, 1.0, -0.5]])
    random = np.random.default_rng(seed)
    return random.standard_normal((count, 2)) @ mixing + 0.1 * random.standard_normal((count, 5))


def test_q_detects_a_broken_correlation_and_names_its_channel():
    plane = PcaModel.fit(rows())
    broken = rows(50)
    broken[:, 3] *= -1
    assert np.median(plane.q(broken)) > 20 * np.median(plane.q(rows(50)))
    assert plane.q_contribution(broken).sum(axis=0).argmax() == 3


def test_t2_detects_an_outlier_within_the_plane_and_q_does_not():
    plane = PcaModel.fit(rows())
    far = rows(50) * 6
    assert np.median(plane.t2(far)) > plane.t2_limit() > np.median(plane.t2(rows(50)))
    assert plane.t2_contribution(far).sum(axis=1) == pytest.approx(plane.t2(far))


def test_limits_hold_for_one_row_in_a_hundred():
    plane = PcaModel.fit(rows())
    fresh = rows(20_000, seed=1)
    assert (plane.t2(fresh) > plane.t2_limit()).mean() == pytest.approx(0.01, abs=0.004)
    assert (plane.q(fresh) > plane.q_limit()).mean() == pytest.approx(0.01, abs=0.004)


def test_gaps_are_refused():
    gappy = rows(10)
    gappy[4, 2] = np.nan
    with pytest.raises(TrainingError, match="without gaps"):
        PcaModel.fit(gappy)


@needs_records
def test_known_figures_on_the_water_test_bed():
    """F1 .755, false alarms 21.7 %, missed 15.1 %: 90 % of variance, empirical 99 % limits of the fit rows."""
    counts = np.zeros((2, 2))
    for path in sorted((SENSORS / "skab" / "other").glob("*.csv")):
        table = polars.read_csv(path, separator=";")
        x, label = table[:, 1:9].to_numpy(), table["anomaly"].to_numpy().astype(int)
        plane = PcaModel.fit(x[:400])
        alarm_onsets = np.zeros(len(x), dtype=int)
        for score in (plane.t2(x), plane.q(x)):
            alarm_onsets |= score > np.quantile(score[:400], 0.99)
        np.add.at(counts, (label, alarm_onsets), 1)
    (silent, false), (missed, hit) = counts
    assert 2 * hit / (2 * hit + false + missed) == pytest.approx(0.755, abs=0.001)
    assert false / (false + silent) == pytest.approx(0.217, abs=0.001)
    assert missed / (missed + hit) == pytest.approx(0.151, abs=0.001)


@needs_records
@pytest.mark.parametrize(("pattern", "known"), [("machine-*", 0.51), ("omi-*", 0.16)])
def test_known_figures_on_servers(pattern, known):
    """Mean average precision of Q, with a thousandth added to the deviations of channels scaled to 0 … 1."""
    from tocsin_training.evaluation.ranking import average_precision  # noqa: PLC0415  (needs scikit-learn)

    found = []
    for path in sorted((SENSORS / "servers").glob(f"{pattern}.parquet")):
        table = polars.read_parquet(path)
        train, test = (table.filter(polars.col("part") == part) for part in ("train", "test"))
        names = [name for name in table.columns if name not in {"part", "anomaly"}]
        plane = PcaModel.fit(train.select(names).to_numpy(), deviation_epsilon=1e-3)
        found.append(average_precision(test["anomaly"].to_numpy(), plane.q(test.select(names).to_numpy())))
    assert np.mean(found) == pytest.approx(known, abs=0.005)

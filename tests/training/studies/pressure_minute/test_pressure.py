"""Reading, evaluation and comparison of forecasts of mean arterial pressure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tocsin.bundle.manifest import ChannelEntry
from tocsin_studies.pressure_minute import baselines, episodes, page, skill
from tocsin_training.bundles.pressure_minute import records
from tocsin_training.data.dataset import DataRequest
from tocsin_training.errors import TrainingError

DATA = Path(__file__).parents[5] / "shared" / "data"
CHANNEL = ChannelEntry(name="map", unit="mm[Hg]", low=20, high=200)


def _request(folder, part="train", period_s=60.0):
    return DataRequest(
        part=part,
        folder=folder,
        channels=(CHANNEL,),
        period_s=period_s,
        delta_cap_s=3600.0,
        seed=1,
        options={},
    )


@pytest.fixture
def folder(tmp_path):
    """Twenty random records, half of them with an episode in the last hour."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(20):
        values = 80 + np.cumsum(random.normal(0, 0.3, 660))
        if number % 2:
            values[620:] = 50
        values[5] = -39.0
        rows += [(f"R{number:02}", minute, value, bool(number % 2)) for minute, value in enumerate(values)]
    (tmp_path / "hypotension").mkdir()
    names = ["record", "minute", "map_mmhg", "episode_follows"]
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(tmp_path / records.FILE)
    return tmp_path


def test_each_record_is_in_one_part_and_both_classes_are_in_both_parts(folder):
    every = {record.name: record.episode for record in records.read(folder)}
    dealt = [records.pressures(_request(folder, part)).streams for part in ("train", "valid")]
    assert sorted(name for part in dealt for name in part) == sorted(every)
    for part in dealt:
        assert {every[name] for name in part} == {True, False}


def test_a_history_does_not_depend_on_the_hour_after_it(folder):
    before = records.histories(_request(folder, period_s=600.0))
    table = pl.read_parquet(folder / records.FILE)
    changed = pl.when(pl.col("minute") >= records.HISTORY).then(42.0).otherwise(pl.col("map_mmhg"))
    table.with_columns(changed.alias("map_mmhg")).write_parquet(folder / records.FILE)
    after = records.histories(_request(folder, period_s=600.0))
    np.testing.assert_array_equal(before.x, after.x)
    assert before.lengths.tolist() == [60] * 20
    assert before.kind.tolist() == [0, 1] * 10
    assert before.x.min() > 60, "an artefact is no part of a median"


def test_a_missing_part_is_named(folder):
    with pytest.raises(TrainingError, match="no part 'test'"):
        records.pressures(_request(folder, "test"))
    with pytest.raises(TrainingError, match="does not part 600 minutes"):
        records.histories(_request(folder, period_s=420.0))
    with pytest.raises(TrainingError, match="--data"):
        records.read(folder / "elsewhere")


def test_a_record_with_a_minute_missing_is_named(folder):
    table = pl.read_parquet(folder / records.FILE)
    table.filter((pl.col("record") != "R03") | (pl.col("minute") != 7)).write_parquet(folder / records.FILE)
    with pytest.raises(TrainingError, match="record R03 has 659 rows"):
        records.read(folder)


def test_the_bands_of_baselines_have_their_nominal_coverage(folder):
    read = [baselines.filled(record.values, 20, 200) for record in records.read(folder)]
    fitted, held_out = read[:14], read[14:]
    truth = np.concatenate([skill.observed(values) for values in held_out])
    for baseline in (baselines.persistence, baselines.autoregression):
        made = baseline(fitted, held_out)
        assert made.ahead.shape == (len(truth), 60, len(skill.LEVELS))
        assert (np.diff(made.ahead, axis=2) >= 0).all()
        figures = skill.figures(made, truth)
        assert 0.75 < figures["in 90 %"] < 0.99
        assert 0 < figures["CRPS"] < 4


def test_a_forecast_of_the_truth_is_best():
    truth = np.linspace(50, 90, 60)[None] + np.arange(4)[:, None]
    sure = skill.Forecasts(
        np.repeat(truth[..., None], len(skill.LEVELS), axis=2),
        np.repeat(truth.min(axis=1)[:, None], len(skill.LEVELS), axis=1) + np.linspace(-0.01, 0.01, len(skill.LEVELS)),
    )
    figures = skill.figures(sure, truth)
    assert figures["CRPS"] == 0
    assert figures["Brier"] < 1e-6
    off = skill.Forecasts(sure.ahead + 3, sure.lowest + 30)
    assert skill.figures(off, truth)["CRPS"] == pytest.approx(3)
    assert skill.figures(off, truth)["Brier"] > 0.9


def test_a_row_of_the_table_counts_detections_and_false_alarms():
    event = np.array([True] * 30 + [False] * 30)
    predicted = event.copy()
    predicted[:3] = False
    predicted[30:32] = True
    row = page.classified_row("x", predicted, event, predicted.astype(float))
    assert row.startswith("| x | 55 | 49 to 58 | 27 | 2 |")


def test_the_labels_of_the_challenge_and_the_definition():
    if not (DATA / records.FILE).exists():
        pytest.skip(f"{records.FILE} is not here: the records are no part of the repository")
    read = records.read(DATA)
    assert len(read) == 60
    assert sum(record.episode for record in read) == 30
    assert sum(episodes.episode(record.following) == record.episode for record in read) == 54
    assert sum(episodes.episode(record.history) for record in read) == 2
    history = np.stack([record.history for record in read])
    event = np.array([record.episode for record in read])
    medians = np.median(history[:, -baselines.TWO_HOURS :], axis=1)
    assert (baselines.beyond(-medians, event) == event).sum() == 49

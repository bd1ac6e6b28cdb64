"""Results of a bundle for any sensor on the Numenta benchmark.

`python -m tocsin_studies.sensor_nab models/sensor/1` prints the table of `docs/sensor.md`.

The bundle reads each series once, from its start, as the daemon would. A detection is the onset of an alarm: a score
that reaches the threshold, and no further one until it has stayed below for `QUIET` rows. One threshold serves all
series. It is chosen twice: with the labels, as the leaderboard does, and on simulated series, without the benchmark's
labels. Baselines are treated alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.backtest.backtest import backtest
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.evaluation import nab
from tocsin_training.simulation.sensor.series import TEST_STREAMS, TEST_TICKS, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin_studies.sensor_nab.corpus import NabSeries

    Scores = list[NDArray[np.float64]]

QUIET = 100  # rows; chosen on simulated series
WINDOW = 0.1  # share of a series that its windows cover together, as in the benchmark
SEED = 1
AGES = ((100, 200), (200, 400), (400, 800), (800, 1600), (1600, 4000))  # ticks

COLUMNS = ("best threshold, all", "found", "false", "threshold from simulations", "row by row", "row by row, told once")


@dataclass(frozen=True, slots=True)
class NabResult:
    """One detector's figures.

    Attributes:
        name: Of the detector.
        best: At the threshold that is best for the benchmark.
        blind: At the threshold that is best for simulated series.
        row_by_row: Every row at or above the best threshold being a detection.
        once: The same of a score that is 0 except where the alarm with the blind threshold rises: the leaderboard's
            rule.
        categories: The score of each category at the best threshold; None where it has no window.
    """

    name: str
    best: nab.NabOperation
    blind: nab.NabOperation
    row_by_row: nab.NabOperation
    once: nab.NabOperation
    categories: dict[str, float | None]


def scores_of(bundle: Bundle, values: Sequence[NDArray[np.float64]]) -> Scores:
    """Engine's score of every row of the series, NaN during warm-up."""
    manifest = bundle.manifest
    records = [StreamRecord(str(i), np.arange(len(value)), value[:, None]) for i, value in enumerate(values)]
    data = StreamDataset.of(manifest.channels, manifest.period_s, manifest.delta_cap_s, records)
    return np.split(backtest(bundle.model, [], data).score.astype(np.float64), data.start[1:-1])


def follows(series: NabSeries) -> NDArray[np.bool_]:
    """Rows (T,) that are read: those with a time after all before."""
    newest = np.maximum.accumulate(series.t)
    return np.diff(newest, prepend=newest[0] - 1) > 0


def carried_forward(score: NDArray[np.float64], read: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(T,) the score of every row, from those of the rows that were read: a row that was not keeps the last score.

    >>> carried_forward(np.array([0.1, 0.2, 0.3]), np.array([True, True, False, True])).tolist()
    [0.1, 0.2, 0.2, 0.3]
    """
    every: NDArray[np.float64] = score[np.cumsum(read) - 1]
    return every


def simulated() -> tuple[list[NDArray[np.float64]], list[nab.WindowLabels]]:
    """Simulated series that no training has used, with NAB windows around the onset of each fault."""
    made = simulate(SEED, "test", TEST_STREAMS, TEST_TICKS, 0.8)
    truths = []
    for one in made:
        half = round(WINDOW * len(one.value) / max(len(one.faults), 1) / 2)
        spans = [(max(onset - half, 0), min(onset + half, len(one.value) - 1)) for onset, _ in one.faults]
        truths.append(nab.labels(len(one.value), spans))
    return [one.value for one in made], truths


def measure(
    name: str, scores: Scores, series: list[NabSeries], made_up: Scores, made_up_truths: list[nab.WindowLabels]
) -> NabResult:
    """Choose both thresholds and compute the figures at each."""
    truths = [one.truth for one in series]
    best = nab.best_alarms(scores, truths, QUIET)
    chosen = nab.best_alarms(made_up, made_up_truths, QUIET)
    categories: dict[str, float | None] = {}
    for category in sorted({one.category for one in series}):
        of = [i for i, one in enumerate(series) if one.category == category]
        labelled = any(truths[i].windows for i in of)
        within = [scores[i] for i in of], [truths[i] for i in of]
        categories[category] = nab.alarms_at(*within, best.threshold, QUIET).score if labelled else None
    return NabResult(
        name=name,
        best=best,
        blind=nab.alarms_at(scores, truths, chosen.threshold, QUIET),
        row_by_row=nab.best(scores, truths),
        once=onset_scores(scores, truths, chosen.threshold),
        categories=categories,
    )


def onset_scores(scores: Scores, truths: Sequence[nab.WindowLabels], threshold: float) -> nab.NabOperation:
    """The leaderboard's rule, row by row at its best threshold, for a score that is 0 but where such an alarm rises.

    >>> truth = nab.labels(1000, [(400, 499)])
    >>> score = np.zeros(1000)
    >>> score[420:470] = 0.5
    >>> score[[800, 802, 804]] = 0.9
    >>> onset_scores([score], [truth], 0.4).false, nab.best([score], [truth]).false
    (1, 3)
    """
    return nab.best([nab.alarm_onsets(score, threshold, QUIET) * np.nan_to_num(score) for score in scores], truths)


def table(rows: list[NabResult]) -> str:
    """Results as a Markdown table."""
    names = [name for name, score in rows[0].categories.items() if score is not None]
    head = ["detector", *names, *COLUMNS]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        best = row.best
        by_category = [f"{row.categories[name]:.1f}" for name in names]
        figures = [f"**{best.score:.1f}**", f"{best.found}/{best.windows}", str(best.false)]
        others = [f"**{row.blind.score:.1f}**", f"{row.row_by_row.score:.1f}", f"{row.once.score:.1f}"]
        lines.append([row.name, *by_category, *figures, *others])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def false_by_age(bundle: Bundle) -> dict[tuple[int, int], float]:
    """Alarms in 1,000 ticks of faultless simulated series at the bundle's threshold, by the stream's age."""
    values = [one.value for one in simulate(SEED, "test", TEST_STREAMS, TEST_TICKS, 0.0)]
    risen = np.sum(
        [nab.alarm_onsets(score, bundle.model.threshold, QUIET) for score in scores_of(bundle, values)], axis=0
    )
    return {(young, old): float(risen[young:old].mean()) * 1000.0 / TEST_STREAMS for young, old in AGES}

"""Evaluator: plays records through the engine, scores baselines and computes the figures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.model import Task
from tocsin_training.backtest import backtest
from tocsin_training.calibration import operating_point
from tocsin_training.errors import TrainingError
from tocsin_training.evaluation import (
    bootstrap,
    detection,
    excerpts,
    ranking_replicates,
    reliability,
    utility,
)
from tocsin_training.evaluation.alarm_setup import of_budget
from tocsin_training.evaluation.baselines import registry
from tocsin_training.evaluation.detection import SECONDS_PER_DAY, GroundTruth
from tocsin_training.evaluation.result import DataSummary, Detector, EvaluationResult, Setting, WarmUp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin_training.backtest.backtest import BacktestResult
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.evaluation.alarm_setup import AlarmSetup
    from tocsin_training.evaluation.baselines.baseline import Baseline
    from tocsin_training.evaluation.result import Budget, OperatingPoint

Progress = Callable[[str], None]
BUDGETS = (0.1, 0.5, 2.0)  # false alarms a stream-day
RECALL = "events detected"  # at the same rate of false alarms
WHOLE_WATCH = "the whole watch"


@dataclass(frozen=True, slots=True)
class EvaluationJob:
    """Input of an evaluation.

    Attributes:
        bundle: Loaded.
        setup: The alarms.
        data: The records to evaluate on.
        about: Their description.
        train: To fit baselines on, or None.
        valid: To choose their thresholds on, where rows have gains, or None.
        with_baselines: Whether to compare with baselines.
        windows: Whether the events are windows of the Numenta benchmark.
        command: Command line.
        seed: Of the bootstrap and of baselines.
    """

    bundle: Bundle
    setup: AlarmSetup
    data: StreamDataset
    about: str
    train: StreamDataset | None
    valid: StreamDataset | None
    with_baselines: bool
    windows: bool
    command: str
    seed: int


def evaluate(job: EvaluationJob, progress: Progress = lambda _line: None) -> EvaluationResult:
    """Run the bundle and the baselines, and compare them."""
    manifest, setup, data = job.bundle.manifest, job.setup, job.data
    horizon_s = manifest.horizon_s if manifest.task is Task.ALARM and manifest.horizon_s else 0.0
    weights = bootstrap.weights(len(data), seed=job.seed)
    ground = GroundTruth.of(data, manifest.period_s, horizon_s, weights)
    progress(f"playing {len(data.x)} frames of {len(data)} streams back to the engine")
    backtested = backtest.backtest(job.bundle.model, setup.alarms, data, setup.clock)
    _check_curve_matches(ground, setup, backtested)
    risen, is_up = backtested.risen[setup.scored], backtested.is_up[setup.scored]
    own = detection.operation(ground, setup.threshold, risen, is_up)
    name = f"{manifest.name}/{manifest.version}"
    progress(f"judging {name}")
    probability = manifest.calibration.scale == "probability"
    replicates = _replicates(job, ground, backtested.score, own, is_up)
    made = bootstrap.figures(replicates)
    bins = reliability.bins(ground, backtested.score) if probability and len(ground.events) else []
    if bins:
        made |= reliability.figures(ground, backtested.score, bins)
    swept = detection.curve(ground, backtested.score, setup.delays, [setup.threshold])
    detectors = [Detector(name=name, about=manifest.summary, figures=made, own=own, equal=own, curve=swept)]
    if len(setup.physiological) > 1:
        detectors.append(_all_physiological(ground, setup, backtested))
    skipped: dict[str, str] = {}
    if job.with_baselines:
        progress("fitting baselines")
        fitted, skipped = registry.fitted(manifest.channels, manifest.period_s, job.train, job.seed)
        for baseline in fitted:
            progress(f"judging {baseline.name}")
            detectors.append(_compared_baseline(job, ground, baseline, own, replicates))
    return EvaluationResult(
        setting=_setting(job, horizon_s),
        extent=_extent(ground, manifest.period_s),
        warm_up=_warm_up(ground, backtested.score),
        detectors=detectors,
        skipped=skipped,
        reliability=bins,
        budgets=_budgets(job, ground, backtested.score),
        stretches=excerpts.choose(ground, data, backtested, risen, is_up),
    )


def _check_curve_matches(ground: GroundTruth, setup: AlarmSetup, backtested: BacktestResult) -> None:
    """Check that the alarm by which the curve is swept rises where the engine's rose."""
    _, is_up = detection.alarm_rows(ground, backtested.score, setup.threshold, setup.delays)
    differ = int((is_up != backtested.is_up[setup.scored]).sum())
    # A stream that falls silent loses its certainty between frames, which no row shows.
    if differ and len(setup.alarms) == 1:
        raise TrainingError(f"the sweep and the engine disagree in {differ} rows; this is a fault of the evaluation")


def _replicates(
    job: EvaluationJob,
    ground: GroundTruth,
    score: NDArray[np.floating],
    own: OperatingPoint | None,
    is_up: NDArray[np.bool_] | None,
) -> dict[str, NDArray[np.float64]]:
    """Replicates (1 + K,) of one detector's figures that depend on no single alarm."""
    made = ranking_replicates.replicates(ground, score) if len(ground.events) else {}
    if job.data.gain is not None and is_up is not None:
        made[utility.UTILITY] = utility.utility(ground, job.data.gain, is_up)
    if job.windows:
        made |= utility.nab_scores(ground, score, own.threshold if own else None)
    return made


def _budgets(job: EvaluationJob, ground: GroundTruth, score: NDArray[np.floating]) -> list[Budget]:
    """False-alarm rates at the budgets that the bundle's curve has a threshold for."""
    if job.bundle.manifest.calibration.curve is None:
        return []
    thresholds = {}
    for per_day in BUDGETS:
        with contextlib.suppress(TrainingError):  # too rare or too frequent for its curve
            thresholds[per_day] = of_budget(job.bundle, per_day, job.setup.delays)
    return reliability.budgets(ground, score, job.setup.delays, thresholds)


def _all_physiological(ground: GroundTruth, setup: AlarmSetup, backtested: BacktestResult) -> Detector:
    """All physiological alarms as one detector."""
    risen = np.sort(np.concatenate([backtested.risen[name] for name in setup.physiological]))
    is_up = np.any([backtested.is_up[name] for name in setup.physiological], axis=0)
    about = f"all {len(setup.physiological)} alarms of the watch that are not technical, each one heard"
    return Detector(
        name=WHOLE_WATCH, about=about, figures={}, own=detection.operation(ground, setup.threshold, risen, is_up)
    )


def _compared_baseline(
    job: EvaluationJob,
    ground: GroundTruth,
    baseline: Baseline,
    ours: OperatingPoint,
    replicates: dict[str, NDArray[np.float64]],
) -> Detector:
    """A baseline at its own operating point and at the bundle's false-alarm rate, and its difference to the bundle."""
    delays = job.setup.delays
    score = baseline.score(job.data)
    own = is_up = None
    if baseline.threshold is not None:
        risen, is_up = detection.alarm_rows(ground, score, baseline.threshold, delays)
        own = detection.operation(ground, baseline.threshold, risen, is_up)
    swept = detection.curve(ground, score, delays, [])
    threshold = detection.at_rate(ground, score, delays, swept, ours.figures["false alarms a day"].value)
    equal = None
    if threshold is not None:
        equal = detection.operation(ground, threshold, *detection.alarm_rows(ground, score, threshold, delays))
    if job.valid is not None and job.valid.gain is not None:
        valid = np.nan_to_num(baseline.score(job.valid), nan=-1e9)
        chosen = operating_point.threshold_of_most_gain(
            valid, job.valid.gain
        )  # as the bundle's was: the utility asks for it
        is_up = detection.alarm_rows(ground, score, chosen, delays)[1]
    theirs = _replicates(job, ground, score, own, is_up)
    behind = bootstrap.leads(replicates, theirs)
    if equal is not None:
        recalls = [{RECALL: detection.detected_share(ground, np.isfinite(one.delays_s))} for one in (ours, equal)]
        behind |= bootstrap.leads(*recalls)
    return Detector(
        name=baseline.name,
        about=baseline.about,
        figures=bootstrap.figures(theirs),
        own=own,
        equal=equal,
        behind=behind,
        curve=swept,
    )


def _setting(job: EvaluationJob, horizon_s: float) -> Setting:
    manifest, setup = job.bundle.manifest, job.setup
    return Setting(
        bundle=f"{manifest.name}/{manifest.version}",
        sha256=manifest.sha256,
        task=str(manifest.task),
        summary=manifest.summary,
        score=manifest.calibration.scale,
        data=job.about,
        command=job.command,
        threshold=setup.threshold,
        threshold_from=setup.chosen,
        on_delay_s=setup.delays.on_s,
        off_delay_s=setup.delays.off_s,
        period_s=manifest.period_s,
        horizon_s=horizon_s or None,
        seed=job.seed,
        replicates=bootstrap.REPLICATES,
    )


def _extent(ground: GroundTruth, period_s: float) -> DataSummary:
    return DataSummary(
        streams=len(ground.days),
        streams_with_events=len(np.unique(ground.events.stream)),
        frames=len(ground.label),
        days=len(ground.label) * period_s / SECONDS_PER_DAY,
        normal_days=float(ground.days.sum()),
        events=len(ground.events),
        unjudged=float(np.isnan(ground.label).mean()),
    )


def _warm_up(ground: GroundTruth, score: NDArray[np.floating]) -> WarmUp:
    known = np.flatnonzero(~np.isnan(score))
    streams, first = np.unique(ground.stream[known], return_index=True)
    took = ground.t_s[known[first]] - ground.t_s[ground.start[:-1][streams]]
    return WarmUp(
        median_s=float(np.median(took)) if len(took) else np.nan,
        longest_s=float(took.max()) if len(took) else np.nan,
        never=len(ground.days) - len(streams),
    )

"""Operating points: the threshold for a budget of false alarms, Platt scaling, the threshold of the highest gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from tocsin.bundle.manifest import Calibration
from tocsin_training.backtest import rollout
from tocsin_training.calibration import false_alarm_curve
from tocsin_training.errors import TrainingError
from tocsin_training.scores.thresholds import SECONDS_PER_DAY, sustained, threshold_for_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.model import StepFunction
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import ServingRecipe


def threshold_of_budget(
    graph: StepFunction, state_size: int, serving: ServingRecipe, valid: StreamDataset
) -> tuple[Calibration, dict[str, float]]:
    """Choose the lowest threshold with at most `serving.false_alarms_per_day` onsets.

    Args:
        graph: The exported step.
        state_size: S of the graph.
        serving: Budget, on-delay, warm-up and period.
        valid: Validation streams; the normal ones alone count where they outlast warm-up and on-delay.

    Returns:
        The calibration, and figures of the validation score.

    Raises:
        TrainingError: No frame has a score.
    """
    normal = false_alarm_curve.normal_streams(valid)
    which = "validation streams"
    if (
        normal is not None
        and len(normal) < len(valid)
        and normal.lengths.max() > serving.warm_up_ticks + serving.on_delay_ticks
    ):
        valid, which = normal, "normal validation streams"
    score = rollout.scores(graph, state_size, valid)  # (R,) float32
    for start in valid.start[:-1]:
        score[start : start + serving.warm_up_ticks] = np.nan
    budget = serving.false_alarms_per_day
    held = sustained(score, valid.start, serving.on_delay_ticks)
    threshold = threshold_for_rate(held, valid, serving.period_s, budget)
    figures = {
        "validation score, median": round(float(np.nanmedian(score)), 4),
        "validation score, 99.9 %": round(float(np.nanquantile(score, 0.999)), 4),
    }
    days = len(score) * serving.period_s / SECONDS_PER_DAY
    chosen_by = (
        f"at most {budget:g} onsets per stream-day that outlast {serving.on_delay_ticks} ticks, "
        f"over {days:.4g} days of {len(valid)} {which}"
    )
    return Calibration(scale="surprise", threshold=threshold, chosen_by=chosen_by), figures


def platt(logit: NDArray[np.float32], label: NDArray[np.float32]) -> tuple[float, float]:
    """Slope and offset that calibrate logits (R,) to labels (R,) by maximum likelihood (Platt 1999).

    If the logits separate the labels, the likelihood would have an infinite slope; then Platt's smoothed targets take
    the place of the labels.

    >>> logit = np.array([-2.0, -1.0, 0.0, 1.0, 2.0] * 20, dtype=np.float32)
    >>> label = (np.arange(100) % 20 < 3).astype(np.float32)
    >>> slope, offset = platt(logit, label)
    >>> bool(abs(np.mean(1 / (1 + np.exp(-(slope * logit + offset)))) - label.mean()) < 1e-3)
    True
    >>> slope, offset = platt(logit, (logit > 0.5).astype(np.float32))
    >>> bool(4 < slope < 5)  # bounded
    True

    Raises:
        TrainingError: All labels are equal.
    """
    share = float(label.mean())
    if not 0.0 < share < 1.0:
        raise TrainingError(f"the validation data's share of positive rows is {share}; give data with both labels")
    target = label
    with_event, without = logit[label > 0], logit[label == 0]
    if with_event.min() >= without.max():
        target = np.where(label > 0, (len(with_event) + 1) / (len(with_event) + 2), 1 / (len(without) + 2))

    def misfit(line: NDArray[np.float64]) -> float:
        z = line[0] * logit + line[1]
        return float(np.mean(np.logaddexp(0.0, z) - target * z))

    found = minimize(misfit, np.array([1.0, np.log(share / (1 - share))]), method="Nelder-Mead")
    return float(found.x[0]), float(found.x[1])


def threshold_of_most_gain(score: NDArray[np.float32], gain: NDArray[np.float32]) -> float:
    """Threshold on scores (R,) with the highest total gain of the rows at or above it.

    It lies halfway between two neighbouring scores, so that it does not depend on last bits.

    >>> score = np.array([0.1, 0.4, 0.6, 0.9], dtype=np.float32)
    >>> threshold_of_most_gain(score, np.array([-1, -1, 1, 1], dtype=np.float32))
    0.5
    """
    order = np.argsort(-score, kind="stable")
    gained = np.cumsum(gain[order])
    gained[:-1][score[order][:-1] == score[order][1:]] = -np.inf  # equal scores share a threshold
    last = int(np.argmax(gained))
    alarming = float(score[order[last]])
    following = float(score[order[min(last + 1, len(order) - 1)]])
    return round((alarming + following) / 2, 6)

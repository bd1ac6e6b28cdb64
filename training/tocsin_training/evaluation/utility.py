"""Utility of alarms: gains by row, or windows of the Numenta benchmark."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.evaluation import bootstrap, nab

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.evaluation.detection import GroundTruth

UTILITY, NAB, NAB_BEST = "utility", "NAB score", "NAB score, best threshold"


def utility(ground: GroundTruth, gain: NDArray[np.floating], is_up: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Utility (1 + K,) of an alarm that is active in the rows `is_up` (R,), relative to the best possible one.

    With the gains of the PhysioNet/CinC Challenge 2019 this is the challenge's normalised utility: 0 for an alarm that
    never rises, 1 the optimum.

    Args:
        ground: Streams and weights.
        gain: (R,) gain of an active alarm in each row over silence.
        is_up: (R,) whether the alarm is active.
    """
    gained, best = ground.summed(np.where(is_up, gain, 0.0)), ground.summed(np.maximum(gain, 0.0))
    return bootstrap.ratio(gained, best, ground.weights)


def nab_scores(
    ground: GroundTruth, score: NDArray[np.floating], threshold: float | None
) -> dict[str, NDArray[np.float64]]:
    """NAB score with the events as windows: at a threshold, and at the best one, which needs the labels.

    (1 + K,) each, without replicates: a window that is not drawn can't be missed.
    """
    scores = [score[a:b] for a, b in itertools.pairwise(ground.start)]
    truths = []
    for b, (first, end) in enumerate(itertools.pairwise(ground.start)):
        own = ground.events.stream == b
        windows = zip(ground.events.first[own] - first, ground.events.last[own] - first, strict=True)
        truths.append(nab.labels(int(end - first), [(int(f), int(last)) for f, last in windows if f < last]))
    made = {NAB_BEST: nab.best(scores, truths).score}
    if threshold is not None:
        made[NAB] = nab.at(scores, truths, threshold).score
    unknown = np.full(len(ground.weights) - 1, np.nan)
    return {name: np.concatenate([[value], unknown]) for name, value in made.items()}

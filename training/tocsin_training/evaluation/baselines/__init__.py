"""What a bundle has to beat: causal detectors, fitted on the training part alone, in the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin_training.evaluation.baselines import boosting, drawn, ewma, limits, plane, untrained, warning
from tocsin_training.evaluation.baselines.baseline import Baseline, Unfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.sequences import Sequences

__all__ = ["Baseline", "fitted"]

_ALL = {
    drawn.NAME: drawn.fit,
    limits.NAME: limits.fit,
    warning.NAME: warning.fit,
    ewma.NAME: ewma.fit,
    plane.NAME_T2: plane.fit_t2,
    plane.NAME_Q: plane.fit_q,
    boosting.NAME: boosting.fit,
    untrained.NAME: untrained.fit,
}


def fitted(
    channels: Sequence[ChannelEntry], period_s: float, train: Sequences | None, seed: int
) -> tuple[list[Baseline], dict[str, str]]:
    """Every baseline that the channels and the training part allow; and of the others, why not, by name."""
    made, skipped = [], {}
    for name, fit in _ALL.items():
        try:
            made.append(fit(channels, period_s, train, seed))
        except Unfit as why:
            skipped[name] = str(why)
    return made, skipped

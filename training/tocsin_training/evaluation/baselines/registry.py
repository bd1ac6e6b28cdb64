"""Registry of baselines: name to fit function, in the order of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin_training.evaluation.baselines import boosting, ewma, limits, news2, pca, untrained
from tocsin_training.evaluation.baselines.baseline import BaselineUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.evaluation.baselines.baseline import Baseline

_ALL = {
    untrained.NAME_RANDOM: untrained.fit_random,
    limits.NAME: limits.fit,
    news2.NAME: news2.fit,
    ewma.NAME: ewma.fit,
    pca.NAME_T2: pca.fit_t2,
    pca.NAME_Q: pca.fit_q,
    boosting.NAME: boosting.fit,
    untrained.NAME: untrained.fit,
}


def fitted(
    channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int
) -> tuple[list[Baseline], dict[str, str]]:
    """Fit every baseline that the channels and the training part allow; of the others, the reason by name."""
    made, skipped = [], {}
    for name, fit in _ALL.items():
        try:
            made.append(fit(channels, period_s, train, seed))
        except BaselineUnavailable as why:
            skipped[name] = str(why)
    return made, skipped

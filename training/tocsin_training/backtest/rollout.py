"""Rollout of a bundle's step function over whole sequences, tick by tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tocsin.engine.model import StepFunction, StepResult
    from tocsin_training.data.dataset import StreamDataset

TOGETHER = 256  # streams in one call


def scores(step: StepFunction, state_size: int, data: StreamDataset) -> NDArray[np.float32]:
    """Score of every frame (R,); NaN where there is none."""
    out = np.full(len(data.x), np.nan, dtype=np.float32)
    for rows, result in results(step, state_size, data):
        out[rows] = result.score
    return out


def results(step: StepFunction, state_size: int, data: StreamDataset) -> Iterator[tuple[NDArray[np.int64], StepResult]]:
    """Rows (n,) stepped together, and their result; each row once, the rows of a stream in order."""
    order = np.argsort(-data.lengths, kind="stable")  # the longest first: those still running are a prefix
    for at in range(0, len(order), TOGETHER):
        chosen = order[at : at + TOGETHER]
        start, lengths = data.start[chosen], data.lengths[chosen]
        state = np.zeros((len(chosen), state_size), dtype=np.float32)
        for t in range(int(lengths[0])):
            running = int((lengths > t).sum())
            rows = start[:running] + t
            result = step(data.x[rows], data.mask[rows], data.delta[rows], state[:running])
            yield rows, result
            state = result.state

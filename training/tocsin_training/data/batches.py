"""Streams side by side: padded at the end, cut into windows.

stream a  ████████████████████          B = 3, bptt = 8
stream b  ████████████····              · is padding: real = 0, counts in no loss,
stream c  ████████                      and comes after everything it could disturb
          └window┘└window┘└window┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset

SORTED_TOGETHER = 16  # batches whose streams are sorted by length before they are cut: less padding, still at random


class StreamBatch(NamedTuple):
    """B streams over T ticks.

    Attributes:
        x: (B, T, C), as mask and delta.
        mask: (B, T, C).
        delta: (B, T, C).
        frame_mask: (B, T) 1 where there is a frame, 0 in padding.
        label: (B, T), zeros if the data have none.
        gain: (B, T), likewise.
        teacher: (B, T), likewise.
        tick: (B, T) int64, since the stream's first; meaningless in padding.
        kind: (B, T) int64, of the stream; zeros if the data have none.
    """

    x: Tensor
    mask: Tensor
    delta: Tensor
    frame_mask: Tensor
    label: Tensor
    gain: Tensor
    teacher: Tensor
    tick: Tensor
    kind: Tensor


def windows(
    data: StreamDataset, chosen: NDArray[np.int64], length: int | Literal["full"], device: torch.device
) -> Iterator[tuple[StreamBatch, NDArray[np.int64]]]:
    """Cut streams into windows along T; only one window is in memory at a time.

    A window of a single tick is left out, as nothing follows in it.

    Yields:
        A window, and the rows of the previous window that continue in it: streams that have ended leave the batch.
    """
    going, longest = chosen, int(data.lengths[chosen].max())
    step = longest if length == "full" else length
    for t in range(0, longest, step):
        still = np.flatnonzero(data.lengths[going] > t)
        going = going[still]
        if min(longest, t + step) - t > 1:
            yield padded(data, going, device, t, t + step), still


def padded(
    data: StreamDataset, chosen: NDArray[np.int64], device: torch.device, first: int = 0, last: int | None = None
) -> StreamBatch:
    """Batch of the streams with these numbers, from tick `first` to before `last`, padded to the longest."""
    lengths = data.lengths[chosen]
    t = np.arange(first, lengths.max() if last is None else min(last, lengths.max()))
    frame_mask = t < lengths[:, None]  # (B, T)
    rows = np.where(frame_mask, data.start[chosen][:, None] + t, 0)

    kind = np.zeros(len(chosen), dtype=np.int64) if data.kind is None else data.kind[chosen]

    def filled(column: NDArray[np.float32] | None) -> Tensor:
        if column is None:
            return torch.zeros(frame_mask.shape, device=device)
        values = column[rows]
        values[~frame_mask] = 0.0
        return torch.from_numpy(values).to(device)

    return StreamBatch(
        x=filled(data.x),
        mask=filled(data.mask),
        delta=filled(data.delta),
        frame_mask=torch.from_numpy(frame_mask.astype(np.float32)).to(device),
        label=filled(data.label),
        gain=filled(data.gain),
        teacher=filled(data.teacher),
        tick=torch.from_numpy(data.tick[rows] - data.tick[data.start[chosen]][:, None]).to(device),
        kind=torch.from_numpy(np.repeat(kind[:, None], frame_mask.shape[1], axis=1)).to(device),
    )


def epoch_streams(data: StreamDataset, rotation: int, seed: int) -> list[NDArray[np.int64]]:
    """Streams of each epoch, in rotation: all with an event, and every n-th of the others, n = `rotation`."""
    if rotation == 1:
        return [np.arange(len(data))]
    quiet = np.random.default_rng(seed).permutation(np.flatnonzero(~data.eventful))
    return [np.concatenate([np.flatnonzero(data.eventful), quiet[part::rotation]]) for part in range(rotation)]


def shuffled(lengths: NDArray[np.int64], batch: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Every stream once, in random batches of similar lengths."""
    order = rng.permutation(len(lengths))
    batches = []
    for at in range(0, len(order), batch * SORTED_TOGETHER):
        together = order[at : at + batch * SORTED_TOGETHER]
        together = together[np.argsort(lengths[together], kind="stable")]
        batches += [together[i : i + batch] for i in range(0, len(together), batch)]
    return [batches[i] for i in rng.permutation(len(batches))]


def in_order(lengths: NDArray[np.int64], batch: int) -> list[NDArray[np.int64]]:
    """Every stream once, the shortest first."""
    order = np.argsort(lengths, kind="stable")
    return [order[at : at + batch] for at in range(0, len(order), batch)]

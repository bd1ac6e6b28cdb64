"""Horizon targets of `seq2seq`: values and extremes in the K ticks after a frame.

Frames exist only for ticks in which something was measured, so K ticks are K frames or fewer. The extremes count only
if most of the horizon was observed: the minimum of half an hour is not that of an hour.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MIN_OBSERVED = 0.8  # share of a horizon's ticks from which its extremes count


class HorizonTargets(NamedTuple):
    """Targets after N frames.

    Attributes:
        x: (N, K, C) 0 where not observed.
        mask: (N, K, C) 1 where observed.
        lowest: (N, C) of what was observed.
        highest: (N, C).
        whole: (N, C) 1 where lowest and highest count.
    """

    x: Tensor
    mask: Tensor
    lowest: Tensor
    highest: Tensor
    whole: Tensor


def horizon_targets(x: Tensor, mask: Tensor, tick: Tensor, anchors: Tensor, ticks: int) -> HorizonTargets:
    """Collect the K = `ticks` ticks after each anchor.

    >>> x = torch.tensor([[[1.0], [2.0], [5.0]]])
    >>> seen = horizon_targets(x, torch.ones_like(x), torch.tensor([[0, 1, 3]]), torch.tensor([0]), ticks=3)
    >>> seen.x[0, :, 0].tolist(), seen.mask[0, :, 0].tolist()
    ([2.0, 0.0, 5.0], [1.0, 0.0, 1.0])

    Args:
        x: (B, T, C), 0 where missing.
        mask: (B, T, C), 0 in padding too.
        tick: (B, T) int64.
        anchors: (A,) which of the T frames.
        ticks: K.

    Returns:
        Targets of N = B A frames, stream after stream.
    """
    b, t, c = x.shape
    row = anchors[:, None] + torch.arange(1, ticks + 1, device=x.device)  # (A, K)
    there = (row < t).to(x)[None, :, :, None]
    row = row.clamp(max=t - 1)
    away = (tick[:, row] - tick[:, anchors][:, :, None]).reshape(-1, ticks)  # (N, K)
    slot = torch.where((away >= 1) & (away <= ticks), away - 1, ticks)[..., None].expand(-1, -1, c)  # K: beyond it
    seen = (mask[:, row] * there).reshape(-1, ticks, c)
    values = x[:, row].reshape(-1, ticks, c) * seen
    empty = x.new_zeros(b * len(anchors), ticks + 1, c)
    # A tick has one frame, but rows past the end repeat the last: what is unseen adds nothing.
    values = empty.scatter_add(1, slot, values)[:, :ticks]
    seen = empty.scatter_add(1, slot, seen)[:, :ticks]
    far = torch.finfo(x.dtype).max
    return HorizonTargets(
        x=values,
        mask=seen,
        lowest=torch.where(seen > 0, values, far).amin(dim=1),
        highest=torch.where(seen > 0, values, -far).amax(dim=1),
        whole=(seen.mean(dim=1) >= MIN_OBSERVED).to(x),
    )

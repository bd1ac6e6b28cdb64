"""Smallest trainable network: the bundles' own recurrence, and a linear readout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tocsin_training.nets.cells import Recurrence

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin_training.nets.cells import Cell

EVERY = 25  # updates between two points of a curve


class Learner(nn.Module):
    """x (B, T, D) to readouts (B, T, K)."""

    def __init__(self, cell: Cell, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.recurrence = Recurrence(cell, inputs, width, 1)
        self.readout = nn.Linear(width, outputs)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run B streams from a state (B, S), or from zeros; returns the readouts and the state after the last tick."""
        if state is None:
            state = x.new_zeros(len(x), self.recurrence.state_size)
        h, state = self.recurrence(x, state)  # (B, T, H)
        return self.readout(h), state

    @property
    def weights(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())


def fit(
    learner: Learner,
    misfit: Callable[[Learner], Tensor],
    *,
    updates: int,
    learning_rate: float,
    enough: float = 0.0,
) -> list[float]:
    """Minimise the loss on streams drawn anew for every update.

    Args:
        learner: The network, fitted in place.
        misfit: Computes the loss.
        updates: Maximum number.
        learning_rate: Adam's.
        enough: Stop once the mean of the last `EVERY` losses is below.

    Returns:
        The mean loss of every `EVERY` updates.
    """
    optimiser = torch.optim.Adam(learner.parameters(), lr=learning_rate)
    curve, losses = [], []
    for update in range(1, updates + 1):
        loss = misfit(learner)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        if update % EVERY == 0:
            curve.append(float(np.mean(losses[-EVERY:])))
            if curve[-1] < enough:
                break
    return curve

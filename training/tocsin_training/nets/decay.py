"""Trainable decay for missing values, after Che et al. 2018 (GRU-D, doi:10.1038/s41598-018-24271-9).

The longer a channel has not been observed, the less its last value counts. The rate of decay is learned:

    γ = exp(-max(0, w δ + b))        δ: seconds since the channel was last observed, before this tick

γ lies between 0 and 1. It pulls the *input* of a missing channel from its last value towards the mean, and it shrinks
the *state* towards 0, its value before the first frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPAN_TICKS = 24.0  # unit of δ, so that weights are of the order of 1
INITIAL_STATE_RATE = 0.02  # before training a state hardly decays


class InputDecay(nn.Module):
    """Input decay: x̂ = m x + (1 - m) (γ x_last + (1 - γ) mean), one rate for each channel.

    Normalised, the mean is 0, and x_last is x itself where it is observed: x̂ = x_last (m + (1 - m) γ).
    """

    def __init__(self, channels: int, period_s: float) -> None:
        """Start with a decay to 1/e in `SPAN_TICKS`."""
        super().__init__()
        self.unit = SPAN_TICKS * period_s
        self.rate = nn.Parameter(torch.ones(channels))
        self.offset = nn.Parameter(torch.zeros(channels))

    def forward(self, last: Tensor, mask: Tensor, delta: Tensor) -> Tensor:
        """Decayed last values (…, C); `delta` (…, C) in seconds."""
        gamma = torch.exp(-torch.relu(self.rate * (delta / self.unit) + self.offset))
        return last * (mask + (1.0 - mask) * gamma)


class StateDecay(nn.Module):
    """State decay: s(t - 1) ← γ ⊙ s(t - 1) before a step, with γ of every unit from the δ of all channels.

    A GRU and a plain RNN decay h. An LSTM decays c and h by the same γ: decaying h alone would keep the cell's
    contents, decaying c alone would let the gates read an h that is out of date.
    """

    def __init__(self, channels: int, units: int, vectors: int, period_s: float) -> None:
        """Build the decay of states of `vectors` parts (h; h and c), each of `units` floats (all layers)."""
        super().__init__()
        self.unit = SPAN_TICKS * period_s
        self.vectors = vectors
        self.rate = nn.Linear(channels, units)
        nn.init.uniform_(
            self.rate.weight, 0.0, INITIAL_STATE_RATE / channels
        )  # negative rates would never learn: max(0, …)
        nn.init.zeros_(self.rate.bias)

    def forward(self, state: Tensor, delta: Tensor) -> Tensor:
        """Decayed state (N, S); `delta` (N, C) in seconds."""
        gamma = torch.exp(-torch.relu(self.rate(delta / self.unit)))  # (N, L H)
        return state * torch.cat([gamma] * self.vectors, dim=1)

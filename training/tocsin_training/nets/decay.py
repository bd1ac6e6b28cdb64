"""Trainable decay for what is missing, after Che et al. 2018 (GRU-D, doi:10.1038/s41598-018-24271-9).

The longer a channel has not been observed, the less its last value says. A rate is learned for how fast it fades:

    γ = exp(-max(0, w δ + b))        δ: how long ago the channel was last observed, before this tick

γ lies between 0 and 1. It pulls the *input* of a missing channel from its last value towards the mean, and it shrinks
the *state* towards 0, which is what the state was before anything had been seen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPAN = 24.0  # ticks that δ is counted in, so that weights of about 1 tell hours or minutes apart
SLOWLY = 0.02  # at the start a state hardly fades: what should is learned


class InputDecay(nn.Module):
    """x̂ = m x + (1 - m) (γ x_last + (1 - γ) mean), a rate for each channel.

    Normalised, the mean is 0, and x_last is x itself where it is observed: x̂ = x_last (m + (1 - m) γ).
    """

    def __init__(self, channels: int, period_s: float) -> None:
        """Let a last value fall to 1/e in `SPAN` ticks at first."""
        super().__init__()
        self.unit = SPAN * period_s
        self.rate = nn.Parameter(torch.ones(channels))
        self.offset = nn.Parameter(torch.zeros(channels))

    def forward(self, last: Tensor, mask: Tensor, delta: Tensor) -> Tensor:
        """(…, C) what is taken for each channel; `delta` (…, C) in seconds."""
        kept = torch.exp(-torch.relu(self.rate * (delta / self.unit) + self.offset))
        return last * (mask + (1.0 - mask) * kept)


class StateDecay(nn.Module):
    """s(t - 1) ← γ ⊙ s(t - 1) before a step, where every unit's rate is learned from the ages of all channels.

    In a GRU and in a plain RNN it is h that fades: they have no other memory. In an LSTM c is the memory and h what
    the output gate showed of it; h alone would leave all that is remembered in place, c alone would let the gates
    read what has been forgotten. So both fade, and by the same γ.
    """

    def __init__(self, channels: int, units: int, vectors: int, period_s: float) -> None:
        """Make one for states of `vectors` parts (h; h and c), each of `units` floats (all layers)."""
        super().__init__()
        self.unit = SPAN * period_s
        self.vectors = vectors
        self.rate = nn.Linear(channels, units)
        nn.init.uniform_(self.rate.weight, 0.0, SLOWLY / channels)  # negative rates would never learn: max(0, …)
        nn.init.zeros_(self.rate.bias)

    def forward(self, state: Tensor, delta: Tensor) -> Tensor:
        """(N, S) the state that a step starts from; `delta` (N, C) in seconds."""
        kept = torch.exp(-torch.relu(self.rate(delta / self.unit)))  # (N, L H)
        return state * torch.cat([kept] * self.vectors, dim=1)

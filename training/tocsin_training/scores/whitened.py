"""What one channel does, given what all the others do: residuals whitened by how they go together in normal streams.

A forecast gives residuals z, one a channel. In normal streams they have a covariance Σ; with P = Σ⁻¹,
dᵢ = (P z)ᵢ² / Pᵢᵢ is how far channel i lies from what the residuals of all others say of it, in variances
(leave-one-out regression, without a regression). So a broken correlation is seen in the tick it breaks, and as long as
it stays broken if the network forecasts levels. The evidence is Σᵢ √(1 + dᵢ) - 1: near 0 half a square, far off a
distance, as Huber's loss is, so that what lies 30 deviations off in one channel outranks what lies 5 off in three. It
is gathered over a few ticks.

A channel that the network foretells to the last bit, or that never moved, would be news at its first stir. Σ gets some
slack therefore: how far channels may stray, and together in which directions, without being news.

Channels share the evidence in proportion to √max(zᵢ (P z)ᵢ, 0), not to d: a channel that strays makes its neighbours
look odd as well, but theirs are not the residuals that stray.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor

from tocsin_training.data.batches import padded
from tocsin_training.errors import TrainingError
from tocsin_training.scores.surprise import Surprise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin_training.data.dataset import Sequences
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import ServingRecipe

SHRUNK = 0.05  # how far Σ is drawn toward its diagonal: eigenvalues near 0 are chance
LEAST = 1e-6  # of a variance, and of a share
FLAT = 0.1  # residuals below which a share falls off: a root is steep at 0, and last bits would decide


class Whitened(Surprise):
    """See the module. The state holds averaged residuals and gathered evidence; the constants are fitted."""

    precision: Tensor
    ones: Tensor

    def __init__(self, channels: int, clip: float, ticks: float, first: float = 1.0, slack: float = 0.0) -> None:
        """Residuals are cut at ±clip and averaged over `first` frames; evidence is gathered over `ticks` frames.

        Both are moving averages with λ = 2 / (frames + 1). Averaging first finds what is small and lasts, as a
        multivariate EWMA chart does (Lowry et al. 1992). `slack` is a variance, the same for every channel; a matrix
        may take its place before `fit`.
        """
        super().__init__(channels, clip)
        self.reach = clip  # what lies far off is told apart
        self.slack = slack * torch.eye(channels, dtype=torch.float64)
        self.rate, self.first_rate = 2.0 / (ticks + 1.0), 2.0 / (first + 1.0)
        self.state_size = 2 * channels
        self.register_buffer("precision", torch.eye(channels))
        self.register_buffer("ones", torch.ones(channels, 1))

    def forward(
        self,
        z: Tensor,
        observed: Tensor,
        expected: Tensor,  # noqa: ARG002  (other modules weigh the level too)
        state: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Weigh z (N, C) where observed (N, C) is 1."""
        averaged, gathered = torch.split(state, self.channels, dim=1)
        averaged = averaged + self.first_rate * (self.cut(z, observed) - averaged)
        gathered = gathered + self.rate * (self.evidence(averaged, observed) - gathered)
        return gathered, torch.cat([averaged, gathered], dim=1)

    def cut(self, z: Tensor, observed: Tensor) -> Tensor:
        """(N, C) residuals that one artefact cannot rule."""
        return torch.clamp(z, -self.clip, self.clip) * observed

    def evidence(self, averaged: Tensor, observed: Tensor) -> Tensor:
        """(N, C) of averaged residuals (N, C)."""
        distance, joint = self.distances(averaged, observed)
        total = (torch.sqrt(1.0 + distance) - 1.0) @ self.ones  # (N, 1)
        share = torch.sqrt(torch.clamp(joint, min=0.0) + FLAT * FLAT) - FLAT + LEAST * observed
        found: Tensor = total * share / torch.clamp(share @ self.ones, min=LEAST)
        return found

    def distances(self, averaged: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C) each channel's leave-one-out distance, and its part of the Mahalanobis distance z P z."""
        odd = (averaged @ self.precision) * observed
        return odd * odd / torch.diagonal(self.precision), averaged * odd

    def average(self, z: Tensor, observed: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """(R, C) averaged residuals of streams of these lengths, one below the other: what the steps would make."""
        streams = torch.split(self.cut(z, observed), lengths.tolist())
        return torch.cat([moving_average(stream, self.first_rate) for stream in streams])

    @torch.no_grad()
    def fit(self, network: Network, data: Sequences, serving: ServingRecipe) -> None:  # noqa: ARG002  (as others)
        """Take Σ from normal streams, as the trained network sees them, and add the slack."""
        z, observed = residuals(network, data, self.reach)
        z = self.average(z, observed, data.lengths - 1)
        if len(z) < 2 * self.channels:
            raise TrainingError(
                f"score.kind whitened: {len(z)} frames cannot tell how {self.channels} channels go together; "
                f"give at least {2 * self.channels}"
            )
        together = (z.T @ z / (observed.T @ observed).clamp(min=1.0)).double()
        own = torch.diagonal(together).clamp(min=LEAST)
        self.precision.copy_(torch.linalg.inv((1.0 - SHRUNK) * together + SHRUNK * torch.diag(own) + self.slack))


def moving_average(values: Tensor, rate: float) -> Tensor:
    """(T, C) e ← e + rate (value - e) from 0, for all ticks at once.

    >>> moving_average(torch.tensor([[1.0], [1.0], [0.0]]), 0.5)[:, 0].tolist()
    [0.5, 0.75, 0.375]
    """
    return torch.from_numpy(lfilter([rate], [1.0, rate - 1.0], values.double().numpy(), axis=0)).to(values)


@torch.no_grad()
def residuals(network: Network, data: Sequences, reach: float) -> tuple[Tensor, Tensor]:
    """Standardised residuals (R - B, C) of all but the first frame of each stream, and which were observed.

    Values are cut at ±reach standard deviations.
    """
    network.eval()
    batch = padded(data, np.arange(len(data)), torch.device("cpu"))
    said, _ = network(batch.x, batch.mask, batch.delta)
    x = network.memory.normalise(batch.x, batch.mask, reach)
    z = (x[:, 1:] - said.mean[:, :-1]) / said.scale[:, :-1]
    real = batch.real[:, 1:] > 0
    return z[real], (batch.mask[:, 1:] * network.measured)[real]

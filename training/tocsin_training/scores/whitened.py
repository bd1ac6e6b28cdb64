"""Whitened residuals: each channel's residual given those of all others, as in normal streams.

A forecast gives residuals z, one a channel, with covariance Σ in normal streams. With P = Σ⁻¹, dᵢ = (P z)ᵢ² / Pᵢᵢ is
the squared distance of channel i from its regression on all other residuals, in variances. A broken correlation raises
d in the tick it breaks, and for as long as it stays broken if the network forecasts levels. The evidence is Σᵢ √(1 +
dᵢ) - 1, averaged over a few ticks: quadratic near 0 and linear far off, as Huber's loss, so that 30 deviations in one
channel outrank 5 deviations in three.

A channel that the network predicts exactly, or that never moved, would be evidence at its first change. Therefore Σ
gets some slack: a variance, or a covariance, that is no evidence.

Channels share the evidence in proportion to √max(zᵢ (P z)ᵢ, 0), not to d: a deviating channel also raises the d of the
channels correlated with it.
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

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import ServingRecipe

SHRUNK = 0.05  # how far Σ is drawn toward its diagonal: eigenvalues near 0 are chance
LEAST = 1e-6  # of a variance, and of a share
FLAT = 0.1  # residuals below which a share falls off: a root is steep at 0, and last bits would decide


class Whitened(Surprise):
    """Score module of whitened residuals. The state holds averaged residuals and evidence; Σ is fitted."""

    precision: Tensor
    ones: Tensor

    def __init__(self, channels: int, clip: float, ticks: float, first: float = 1.0, slack: float = 0.0) -> None:
        """Build the module for C channels.

        Averages are exponential with λ = 2 / (ticks + 1). Averaging residuals first detects small lasting shifts, as a
        multivariate EWMA chart does (Lowry et al. 1992).

        Args:
            channels: C.
            clip: Residuals are clipped at ±clip.
            ticks: Time over which evidence is averaged.
            first: Time over which residuals are averaged.
            slack: Variance added to every channel; a matrix may take its place before `fit`.
        """
        super().__init__(channels, clip)
        self.input_clip = clip  # distant values stay distinct
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
        """Evidence of a frame, see `Surprise.forward`."""
        averaged, gathered = torch.split(state, self.channels, dim=1)
        averaged = averaged + self.first_rate * (self.cut(z, observed) - averaged)
        gathered = gathered + self.rate * (self.evidence(averaged, observed) - gathered)
        return gathered, torch.cat([averaged, gathered], dim=1)

    def cut(self, z: Tensor, observed: Tensor) -> Tensor:
        """Residuals (N, C), clipped."""
        return torch.clamp(z, -self.clip, self.clip) * observed

    def evidence(self, averaged: Tensor, observed: Tensor) -> Tensor:
        """Evidence (N, C) of averaged residuals (N, C)."""
        distance, joint = self.distances(averaged, observed)
        total = (torch.sqrt(1.0 + distance) - 1.0) @ self.ones  # (N, 1)
        share = torch.sqrt(torch.clamp(joint, min=0.0) + FLAT * FLAT) - FLAT + LEAST * observed
        found: Tensor = total * share / torch.clamp(share @ self.ones, min=LEAST)
        return found

    def distances(self, averaged: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Leave-one-out distances (N, C), and each channel's part of the Mahalanobis distance z P z."""
        odd = (averaged @ self.precision) * observed
        return odd * odd / torch.diagonal(self.precision), averaged * odd

    def average(self, z: Tensor, observed: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Averaged residuals (R, C) of streams of these lengths, equal to those of the steps."""
        streams = torch.split(self.cut(z, observed), lengths.tolist())
        return torch.cat([moving_average(stream, self.first_rate) for stream in streams])

    @torch.no_grad()
    def fit(self, network: Network, data: StreamDataset, serving: ServingRecipe) -> None:  # noqa: ARG002  (as others)
        """Fit Σ to normal streams, as the trained network forecasts them, and add the slack.

        Raises:
            TrainingError: There are too few frames.
        """
        z, observed = residuals(network, data, self.input_clip)
        z = self.average(z, observed, data.lengths - 1)
        if len(z) < 2 * self.channels:
            raise TrainingError(
                f"score.kind whitened: {len(z)} frames are too few to estimate how {self.channels} channels correlate; "
                f"give at least {2 * self.channels}"
            )
        together = (z.T @ z / (observed.T @ observed).clamp(min=1.0)).double()
        own = torch.diagonal(together).clamp(min=LEAST)
        self.precision.copy_(torch.linalg.inv((1.0 - SHRUNK) * together + SHRUNK * torch.diag(own) + self.slack))


def moving_average(values: Tensor, rate: float) -> Tensor:
    """Exponential average (T, C) from 0: e ← e + rate (value - e).

    >>> moving_average(torch.tensor([[1.0], [1.0], [0.0]]), 0.5)[:, 0].tolist()
    [0.5, 0.75, 0.375]
    """
    return torch.from_numpy(lfilter([rate], [1.0, rate - 1.0], values.double().numpy(), axis=0)).to(values)


@torch.no_grad()
def residuals(network: Network, data: StreamDataset, input_clip: float) -> tuple[Tensor, Tensor]:
    """Standardised residuals (R - B, C) of all but the first frame of each stream, and their mask.

    Values are clipped at ±`input_clip` standard deviations.
    """
    network.eval()
    batch = padded(data, np.arange(len(data)), torch.device("cpu"))
    output, _ = network(batch.x, batch.mask, batch.delta)
    x = network.channel_features.normalise(batch.x, batch.mask, input_clip)
    z = (x[:, 1:] - output.mean[:, :-1]) / output.scale[:, :-1]
    real = batch.frame_mask[:, 1:] > 0
    return z[real], (batch.mask[:, 1:] * network.measured)[real]

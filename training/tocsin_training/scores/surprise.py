"""Surprise of a forecast's residuals as a score; base of the score modules.

A score module takes the standardised residuals z = (x - mean) / scale of the last prediction and returns evidence by
channel. The step divides by the number of observed channels. Each module has its own slice of the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tocsin_training.nets.channel_features import INPUT_CLIP

if TYPE_CHECKING:
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import ScoreRecipe, ServingRecipe


class Surprise(nn.Module):
    """Evidence of this frame alone: z² / 2 = -log p(x) / p(mode).

    The logarithm of the scale is left out: a stretch that the model knows to be volatile is no evidence.

    Attributes:
        state_size: Floats of state a stream.
        input_clip: Standard deviations at which values are clipped before they are scored; the network's inputs are
            always clipped at `INPUT_CLIP`.
    """

    def __init__(self, channels: int, clip: float) -> None:
        """Build the module for C channels; residuals are clipped at ±clip."""
        super().__init__()
        self.input_clip = INPUT_CLIP
        self.channels = channels
        self.clip = clip
        self.state_size = 0

    def forward(
        self,
        z: Tensor,
        observed: Tensor,
        expected: Tensor,  # noqa: ARG002  (other modules weigh the level too)
        state: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Evidence of a frame.

        Args:
            z: (N, C) standardised residuals.
            observed: (N, C) 1 where there is a residual.
            expected: (N, C) predicted mean.
            state: (N, S).

        Returns:
            Evidence (N, C), 0 where not observed, and the next state.
        """
        z = torch.clamp(z, -self.clip, self.clip) * observed
        return 0.5 * z * z, state

    def band(self, mean: Tensor, scale: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002  (likewise)
        """Mean and scale (N, C) to display as expected for the next frame: the forecast itself."""
        return mean, scale

    def fit(self, network: Network, data: StreamDataset, serving: ServingRecipe) -> None:
        """Fit constants to normal streams; this module has none."""


class EwmaSurprise(Surprise):
    """Evidence averaged over ticks: e ← (1 - λ) e + λ z, and e² (2 - λ) / λ.

    While the model is right e² (2 - λ) / λ is chi-square with one degree of freedom, so small residuals of one sign add
    up to evidence of a drift. A missing channel counts as z = 0.
    """

    def __init__(self, channels: int, clip: float, ticks: float) -> None:
        """Build the module; λ = 2 / (ticks + 1)."""
        super().__init__(channels, clip)
        self.rate = 2.0 / (ticks + 1.0)
        self.state_size = channels

    def forward(
        self,
        z: Tensor,
        observed: Tensor,
        expected: Tensor,  # noqa: ARG002  (other modules weigh the level too)
        state: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Evidence of a frame; the state (N, C) is e."""
        z = torch.clamp(z, -self.clip, self.clip) * observed
        gathered = (1.0 - self.rate) * state + self.rate * z
        return gathered * gathered * observed * ((2.0 - self.rate) / self.rate), gathered


def make(recipe: ScoreRecipe, channels: int) -> Surprise:
    """The module a recipe asks for."""
    if recipe.kind == "ewma":
        return EwmaSurprise(channels, recipe.clip, recipe.ticks)
    return Surprise(channels, recipe.clip)

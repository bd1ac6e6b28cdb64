"""How the residuals of a forecast become a score: small modules, each with its own slice of the state.

A module takes the standardised residuals z = (x - mean) / scale of the previous prediction and says per channel how
much evidence against it they are. The step module normalises by the number of channels observed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tocsin_training.nets.channel_features import FURTHEST

if TYPE_CHECKING:
    from tocsin_training.data.dataset import Sequences
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import ScoreRecipe, ServingRecipe


class Surprise(nn.Module):
    """Evidence of this frame alone: z² / 2.

    That is how much less likely x is than the likeliest x, -log p(x) / p(mode). The scale's own logarithm is left
    out: a stretch that the model knows to be volatile is no evidence.

    Attributes:
        state_size: Floats a stream carries.
        reach: Standard deviations at which values are cut before they are judged; the network's inputs always end at
            `FURTHEST`.
    """

    def __init__(self, channels: int, clip: float) -> None:
        """Residuals are cut at ±clip."""
        super().__init__()
        self.reach = FURTHEST
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
        """Weigh z (N, C) where observed (N, C) is 1; gives the evidence (N, C), 0 elsewhere, and the next state."""
        z = torch.clamp(z, -self.clip, self.clip) * observed
        return 0.5 * z * z, state

    def band(self, mean: Tensor, scale: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002  (likewise)
        """What people are shown as expected, given the forecast (N, C) of the next frame: the forecast itself."""
        return mean, scale

    def fit(self, network: Network, data: Sequences, serving: ServingRecipe) -> None:
        """Take constants from normal streams, where there are any to take."""


class GatheredSurprise(Surprise):
    """Evidence gathered over ticks: e ← (1 - λ) e + λ z, and e² (2 - λ) / λ.

    One frame off by half a standard deviation is nothing; thirty of them, all to one side, are a drift. While the
    model is right e² (2 - λ) / λ is chi-square with one degree of freedom. A channel that is missing adds nothing
    and its evidence fades as if its z were 0.
    """

    def __init__(self, channels: int, clip: float, ticks: float) -> None:
        """Evidence is gathered over about `ticks` frames: λ = 2 / (ticks + 1)."""
        super().__init__(channels, clip)
        self.rate = 2.0 / (ticks + 1.0)
        self.state_size = channels

    def forward(
        self,
        z: Tensor,
        observed: Tensor,
        expected: Tensor,  # noqa: ARG002  (see above)
        state: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Weigh z (N, C) where observed (N, C) is 1; the state (N, C) is e."""
        z = torch.clamp(z, -self.clip, self.clip) * observed
        gathered = (1.0 - self.rate) * state + self.rate * z
        return gathered * gathered * observed * ((2.0 - self.rate) / self.rate), gathered


def make(recipe: ScoreRecipe, channels: int) -> Surprise:
    """The module a recipe asks for."""
    if recipe.kind == "ewma":
        return GatheredSurprise(channels, recipe.clip, recipe.ticks)
    return Surprise(channels, recipe.clip)

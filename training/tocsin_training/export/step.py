"""Step modules: one tick of N rows with the signature of every bundle. Their graph is what is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from tocsin.bundle.signature import Signature
from tocsin.engine.model import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tocsin_training.nets.heads import Outputs
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe

StepOutputs = tuple[Tensor, ...]
"""score (N,), contribution (N, C), mean (N, C), scale (N, C), state (N, S), then the task's own outputs."""


class StepModule(nn.Module):
    """One recurrence of N independent rows.

    Sums over channels are matrix products with ones: ONNX Runtime's `ReduceSum` gives a row other last bits at another
    place of the batch.

    Attributes:
        sizes: Widths of the slices of the state, in order.
        state_size: S.
        task: Selects the outputs.
        costly: Whether a step computes many variants of a row, so that parity checks fewer of them.
    """

    task: ClassVar = Task.FORECAST
    costly: ClassVar = False
    ones: Tensor

    def __init__(self, channels: int, sizes: Sequence[int]) -> None:
        """Set the layout of the state."""
        super().__init__()
        self.channels = channels
        self.sizes = list(sizes)
        self.state_size = sum(sizes)
        self.register_buffer("ones", torch.ones(channels, 1))

    def total(self, values: Tensor) -> Tensor:
        """Sum over channels: (N, C) to (N, 1)."""
        return values @ self.ones

    def forecast(self, mean: Tensor, state: Tensor) -> Tensor:
        """Forecast of the network (N, C) in the channels' units, from the mean and the state that a step gave."""
        return mean

    def sequence_scores(
        self,
        outputs: Sequence[Outputs],
        inputs: Sequence[Tensor],
    ) -> NDArray[np.float32] | None:
        """Scores (B, T) from the members' outputs over whole sequences; None where they rest on single steps.

        Args:
            outputs: Of each member.
            inputs: x, mask and delta, (B, T, C) each.
        """
        return None

    def rounding_scale(self, output: str, values: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32] | float:
        """Size that the rounding error of an output grows with, given all outputs of a step."""
        return values["scale"] if output == "mean" else 1.0


def mean_of(parts: Sequence[Tensor]) -> Tensor:
    """Mean of the members, by additions in order."""
    return sum(parts[1:], parts[0]) / len(parts)


def signature(step: StepModule, recipe: Recipe) -> Signature:
    """Shapes of a recipe's step, as in its bundle's manifest."""
    horizon = recipe.horizon
    return Signature(
        recipe.task,
        channels=step.channels,
        state_size=step.state_size,
        horizon_ticks=0 if horizon is None else horizon.ticks,
        classes=len(recipe.classes or ()),
        quantiles=0 if horizon is None else len(horizon.quantiles),
    )


class InitialStateModule(nn.Module):
    """`init.onnx`: state of a stream before its first frame, from its profile."""

    rest: Tensor

    def __init__(self, network: Network, step: StepModule) -> None:
        """Wrap a trained network that starts from a profile."""
        super().__init__()
        self.network = network
        rest = step.state_size - network.channel_features.state_size - network.recurrence.state_size
        self.register_buffer("rest", torch.zeros(1, rest))  # no prediction and no evidence yet

    def forward(self, profile: Tensor) -> Tensor:
        """State (N, S) from profiles (N, P), in the channels' units."""
        return torch.cat([*self.network.state_from_profile(profile), self.rest.expand(profile.shape[0], -1)], dim=1)

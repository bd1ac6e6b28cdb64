"""Training objective: the part of a task that the training loop needs, and the loss all tasks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tocsin_training.data.batches import StreamBatch
    from tocsin_training.nets.heads import Head, Outputs
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe


class Objective(Protocol):
    """Head and loss of a task."""

    def head(self, recipe: Recipe, inputs: int, dropout: nn.Dropout) -> Head:
        """Build the head over `inputs` inputs."""

    def loss(self, network: Network, outputs: Outputs, batch: StreamBatch, recipe: Recipe) -> tuple[Tensor, Tensor]:
        """Loss that is minimised, and the part of it that early stopping watches."""


def forecast_loss(network: Network, outputs: Outputs, batch: StreamBatch) -> Tensor:
    """Negative log-likelihood of the next frame's observed readings, averaged over them.

    The forecast of the last tick lies beyond the batch and is left out. With a profile frame the outputs begin one tick
    before the frames, and the first frame is forecast too.
    """
    first = batch.x.shape[1] - (outputs.mean.shape[1] - 1)  # frame that the first output forecasts
    following = batch.mask[:, first:] * network.measured * batch.frame_mask[:, first:, None]  # (B, T - 1, C)
    x = network.channel_features.normalise(batch.x[:, first:], batch.mask[:, first:])
    scale = outputs.scale[:, :-1]
    z = network.channel_features.residual(x, outputs.mean[:, :-1], scale)
    nll = network.distribution.nll(z, scale)
    return (nll * following).sum() / following.sum().clamp(min=1)

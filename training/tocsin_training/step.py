"""The step modules: what is exported. One tick of N rows, with the signature every bundle has."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from tocsin.engine.model import Task
from tocsin_training import departure
from tocsin_training.cells import repeated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin_training.memory import Memory
    from tocsin_training.network import Network, Outputs
    from tocsin_training.recipe import Recipe

INPUTS = ("x", "mask", "delta", "state")
OUTPUTS = ("score", "contribution", "mean", "scale", "state_out")
"""An ONNX name stands for one value, so the state that comes out cannot be called as the one that goes in."""

Stepped = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""score (N,), contribution (N, C), mean (N, C), scale (N, C), state (N, S)."""


class StepModule(nn.Module):
    """One recurrence of N independent rows.

    Sums over channels are matrix products with ones: ONNX Runtime's `ReduceSum` gives a row other last bits in
    another place of the batch.

    Attributes:
        sizes: The slices of the state, in order.
        state_size: S.
    """

    ones: Tensor

    def __init__(self, channels: int, sizes: Sequence[int]) -> None:
        """Set the layout of the state."""
        super().__init__()
        self.channels = channels
        self.sizes = list(sizes)
        self.state_size = sum(sizes)
        self.register_buffer("ones", torch.ones(channels, 1))

    def total(self, values: Tensor) -> Tensor:
        """(N, C) to (N, 1)."""
        return values @ self.ones

    def forecast(self, mean: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  (where it is kept differs)
        """(N, C) the network's own forecast, from the mean and the state that a step gave."""
        return mean


class ForecastStep(StepModule):
    """The score is how surprising x is under the prediction of the frame before.

    The state holds memory, recurrence, that prediction (mean, scale, and 1 where there is one) and whatever the
    score module gathers.
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        """Wrap a trained network."""
        weigh = departure.make(recipe.score, network.channels)
        prediction = (network.channels, network.channels, 1)
        super().__init__(
            network.channels,
            (network.memory.state_size, network.recurrence.state_size, *prediction, weigh.state_size),
        )
        self.network = network
        self.weigh = weigh

    def forward(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> Stepped:
        """Judge x by what was expected, then expect anew."""
        remembered, recurrent, mean, scale, ready, evidence = torch.split(state, self.sizes, dim=1)
        memory = self.network.memory

        z = (memory.normalise(x, mask) - mean) / (scale + (1.0 - ready))  # (N, C); scale is 0 before a prediction
        observed = mask * self.network.measured * ready
        contribution, evidence = self.weigh(z, observed, mean, evidence)
        count = self.total(observed)  # (N, 1)
        contribution = contribution / torch.clamp(count, min=1.0)
        score = torch.where(count > 0, self.total(contribution), torch.nan)[:, 0]

        features, remembered = memory.step(x, mask, delta, remembered)
        entered = self.network.enter(features, mask, delta)
        h, recurrent = self.network.recurrence.step(entered, recurrent, delta=delta)
        said = self.network.heads(features, entered, h)
        parts = (remembered, recurrent, said.mean, said.scale, torch.ones_like(ready), evidence)
        shown = self.weigh.band(said.mean, said.scale, evidence)
        return (score, contribution, *memory.in_units(*shown), torch.cat(parts, dim=1))

    def forecast(self, mean: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  (people may be shown another)
        """(N, C) the network's own forecast: the state holds it for the next frame."""
        kept = torch.split(state, self.sizes, dim=1)[2]
        own: Tensor = self.network.memory.in_units(kept, kept)[0]
        return own


class AlarmStep(StepModule):
    """The score is the calibrated probability of the labelled event within the horizon.

    Several networks (members) share one memory; their logits are averaged. A channel's contribution is found by
    asking again with that channel masked now: C + 1 variants of each row in one batch, of which the first is real.
    """

    members: nn.ModuleList
    memory: Memory
    known: Tensor
    slope: Tensor
    offset: Tensor
    without: Tensor

    def __init__(self, members: Sequence[Network], slope: float = 1.0, offset: float = 0.0) -> None:
        """Wrap trained networks with the calibration logit → slope * logit + offset."""
        first = members[0]
        super().__init__(
            first.channels, (first.memory.state_size, *(member.recurrence.state_size for member in members))
        )
        self.members = nn.ModuleList(members)
        self.memory = first.memory
        self.register_buffer("slope", torch.tensor(slope))
        self.register_buffer("offset", torch.tensor(offset))
        self.register_buffer("known", 1.0 - first.clock)
        every = torch.cat([torch.ones(1, first.channels), 1.0 - torch.eye(first.channels)])
        self.register_buffer("without", every[:, None])  # (C + 1, 1, C): row 0 masks nothing, row c + 1 channel c

    def forward(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> Stepped:
        """Ask with everything, and without each channel in turn."""
        remembered, *recurrent = torch.split(state, self.sizes, dim=1)
        rows, variants = x.shape[0], self.channels + 1
        masks, deltas = (mask * self.without).reshape(-1, self.channels), repeated(delta, variants)
        features, remembered = self.memory.step(
            (x * self.without).reshape(-1, self.channels),  # (V N, C), the real rows first
            masks,
            deltas,
            repeated(remembered, variants),
        )

        said: list[Outputs] = []
        logits: list[Tensor] = []
        after = [remembered[:rows]]
        for member, past in zip(self._networks(), recurrent, strict=True):
            entered = member.enter(features, masks, deltas)
            h, following = member.recurrence.step(entered, past, variants, delta)
            said.append(member.heads(features[:rows], entered[:rows], h[:rows]))
            logits.append(member.announce(member.join(entered, h)))  # (V N,)
            after.append(following[:rows])
        logit = (mean_of(logits) * self.slope + self.offset).reshape(variants, -1)  # (V, N)
        contribution = (logit[:1] - logit[1:]).T  # (N, C)
        seen = remembered[:rows, self.channels : 2 * self.channels]
        score = torch.where(self.total(seen * self.known)[:, 0] > 0, torch.sigmoid(logit[0]), torch.nan)
        expected = self.memory.in_units(mean_of([one.mean for one in said]), mean_of([one.scale for one in said]))
        return (score, contribution, *expected, torch.cat(after, dim=1))

    def _networks(self) -> list[Network]:
        return cast("list[Network]", list(self.members))


def mean_of(parts: Sequence[Tensor]) -> Tensor:
    """The members' mean, by additions in order."""
    return sum(parts[1:], parts[0]) / len(parts)


def make(members: Sequence[Network], recipe: Recipe) -> StepModule:
    """The step module of a recipe's task, uncalibrated."""
    if recipe.task is Task.FORECAST:
        return ForecastStep(members[0], recipe)
    return AlarmStep(members)

"""The step modules: what is exported. One tick of N rows, with the signature every bundle has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor, nn

from tocsin.bundle.signature import Signature
from tocsin.engine.model import Task
from tocsin_training.nets.cells import shared
from tocsin_training.scores import departure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin_training.nets.channel_features import Memory
    from tocsin_training.nets.decoder import Ahead
    from tocsin_training.nets.network import Network, Outputs
    from tocsin_training.nets.tree_ensemble import Beside
    from tocsin_training.recipe import Recipe

Stepped = tuple[Tensor, ...]
"""score (N,), contribution (N, C), mean (N, C), scale (N, C), state (N, S), and what else the task gives."""
PAD_TO = 16  # rows; the daemon pads its calls likewise, as a row's last bits move with the number of rows


class StepModule(nn.Module):
    """One recurrence of N independent rows.

    Sums over channels are matrix products with ones: ONNX Runtime's `ReduceSum` gives a row other last bits in
    another place of the batch.

    Attributes:
        sizes: The slices of the state, in order.
        state_size: S.
        task: Which outputs it has.
    """

    task: ClassVar = Task.FORECAST
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

        z = (memory.normalise(x, mask, self.weigh.reach) - mean) / (
            scale + (1.0 - ready)
        )  # (N, C); scale is 0 before a prediction
        z = self.network.distribution.as_normal(z)
        observed = mask * self.network.measured * ready
        contribution, evidence = self.weigh(z, observed, mean, evidence)
        count = self.total(observed)  # (N, 1)
        contribution = contribution / torch.clamp(count, min=1.0)
        score = torch.where(count > 0, self.total(contribution), torch.nan)[:, 0]

        features, remembered = memory.step(x, mask, delta, remembered)
        entered = self.network.enter(features, mask, delta)
        h, recurrent = self.network.recurrence.step(entered, recurrent, delta=delta)
        mean, scale, ahead = self.expect(features, entered, h)
        parts = (remembered, recurrent, mean, scale, torch.ones_like(ready), evidence)
        shown, others = self.show(mean, scale, ahead, evidence)
        return (score, contribution, *memory.in_units(*shown), torch.cat(parts, dim=1), *others)

    def expect(self, features: Tensor, entered: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Ahead | None]:
        """Mean and scale (N, C) that the next frame will be judged by, and what a decoder says of those after it."""
        said = self.network.heads(features, entered, h)
        return said.mean, said.scale, None

    def show(
        self,
        mean: Tensor,
        scale: Tensor,
        ahead: Ahead | None,  # noqa: ARG002  (here there is none)
        evidence: Tensor,
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, ...]]:
        """Mean and scale as people are shown them, in standard deviations, and other outputs in the channels' units."""
        return self.weigh.band(mean, scale, evidence), ()

    def forecast(self, mean: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  (people may be shown another)
        """(N, C) the network's own forecast: the state holds it for the next frame."""
        kept = torch.split(state, self.sizes, dim=1)[2]
        own: Tensor = self.network.memory.in_units(kept, kept)[0]
        return own


class HorizonStep(ForecastStep):
    """A forecast of K steps instead of one, with quantiles of the extremes; x is judged by the first step."""

    task = Task.SEQ2SEQ

    def expect(self, features: Tensor, entered: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Ahead | None]:
        """The first decoded step, and all of them."""
        ahead = self.network.decode(self.network.join(entered, h), self.network.memory.last(features))
        return ahead.mean[:, 0], ahead.scale[:, 0], ahead

    def show(
        self,
        mean: Tensor,
        scale: Tensor,
        ahead: Ahead | None,
        evidence: Tensor,
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, ...]]:
        """The K frames to come, and the quantiles of their extremes."""
        if ahead is None:
            return super().show(mean, scale, ahead, evidence)
        units = self.network.memory.in_units
        extremes = (quantiles.transpose(1, 2) for quantiles in (ahead.low, ahead.high))  # (N, Q, C)
        return (ahead.mean, ahead.scale), tuple(units(part, part)[0].transpose(1, 2) for part in extremes)


class AlarmStep(StepModule):
    """The score is the calibrated probability of the labelled event within the horizon.

    Several networks (members) share one memory; their logits are averaged. A channel's contribution is found by
    asking again with that channel masked now. What has no reading now contributes nothing, so nobody asks; all that is
    asked is one batch of M rows, the N real ones first.

    Attributes:
        beside: Trees whose logit is averaged with the members', or None.
        slope: Of the calibration logit → slope * logit + offset, as `offset`.
    """

    task = Task.ALARM
    members: nn.ModuleList
    memory: Memory
    known: Tensor
    slope: Tensor
    offset: Tensor
    without: Tensor

    def __init__(self, members: Sequence[Network], beside: Beside | None = None) -> None:
        """Wrap trained networks, and trees beside them."""
        first = members[0]
        sizes = [first.memory.state_size, *(member.recurrence.state_size for member in members)]
        super().__init__(first.channels, [*sizes, *([beside.state_size] if beside else [])])
        self.beside = beside
        self.members = nn.ModuleList(members)
        self.memory = first.memory
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("offset", torch.tensor(0.0))
        self.register_buffer("known", 1.0 - first.clock)
        every = torch.cat([torch.ones(1, first.channels), 1.0 - torch.eye(first.channels)])
        self.register_buffer("without", every)  # (C + 1, C): row 0 masks nothing, row c + 1 channel c

    def forward(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> Stepped:
        """Ask with everything, and without each channel that was observed in turn."""
        remembered, *recurrent = torch.split(state, self.sizes, dim=1)
        rows = x.shape[0]
        channel, row = torch.nonzero(mask.T > 0).unbind(1)  # (K,) each: what was observed
        filling = row.new_zeros(-(rows + row.shape[0]) % PAD_TO)
        owner = torch.cat([torch.arange(rows), row, filling])  # (M,)
        keep = self.without[torch.cat([filling.new_zeros(rows), channel + 1, filling])]  # (M, C)
        xs, masks, deltas = (shared(part, owner) for part in (x, mask, delta))
        xs, masks = xs * keep, masks * keep
        features, remembered = self.memory.step(xs, masks, deltas, shared(remembered, owner))

        said: list[Outputs] = []
        logits: list[Tensor] = []
        after = [remembered[:rows]]
        for member, past in zip(self._networks(), recurrent[: len(self.members)], strict=True):
            entered = member.enter(features, masks, deltas)
            h, following = member.recurrence.step(entered, past, owner, delta)
            said.append(member.heads(features[:rows], entered[:rows], h[:rows]))
            logits.append(member.announce(member.join(entered, h)))  # (M,)
            after.append(following[:rows])
        logit = mean_of(logits)
        if self.beside is not None:
            trees, following = self.beside(xs, masks, delta, recurrent[-1], owner)
            logit = self.beside.joined(logit, trees)
            after.append(following)
        logit, others = self.judge(logit)
        drop = logit[row] - logit[rows : rows + row.shape[0]]  # (K,)
        contribution = torch.zeros_like(x).index_put((row, channel), drop)  # (N, C)
        seen = remembered[:rows, self.channels : 2 * self.channels]
        score = torch.where(self.total(seen * self.known)[:, 0] > 0, torch.sigmoid(logit[:rows]), torch.nan)
        expected = self.memory.in_units(mean_of([one.mean for one in said]), mean_of([one.scale for one in said]))
        return (score, contribution, *expected, torch.cat(after, dim=1), *(other[:rows] for other in others))

    def judge(self, logit: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The calibrated logit (M,) of the score, and what else is told of each row."""
        return logit * self.slope + self.offset, ()

    def _networks(self) -> list[Network]:
        return cast("list[Network]", list(self.members))


class ClassifyStep(AlarmStep):
    """The score is the probability of another class than the first; every class's is told."""

    task = Task.CLASSIFY
    others: Tensor
    every: Tensor

    def __init__(self, members: Sequence[Network], classes: int) -> None:
        """Wrap trained networks that tell K classes apart."""
        super().__init__(members)
        self.register_buffer("every", torch.ones(classes, 1))  # a matrix product again, instead of a sum
        self.register_buffer("others", torch.ones(classes - 1, 1))

    def judge(self, logit: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """From logits (M, K): that of not being of the first class (M,), and the probabilities (M, K)."""
        logit = logit * self.slope
        likeliest = torch.amax(logit, dim=1, keepdim=True)
        share = torch.exp(logit - likeliest)
        first, rest = logit[:, :1], logit[:, 1:]
        likeliest = torch.amax(rest, dim=1, keepdim=True)
        other = likeliest + torch.log(torch.exp(rest - likeliest) @ self.others)
        return (other - first)[:, 0], (share / (share @ self.every),)


def mean_of(parts: Sequence[Tensor]) -> Tensor:
    """The members' mean, by additions in order."""
    return sum(parts[1:], parts[0]) / len(parts)


def make(members: Sequence[Network], recipe: Recipe, beside: Beside | None = None) -> StepModule:
    """The step module of a recipe's task, uncalibrated, with the trees that its recipe puts beside the networks."""
    if recipe.task is Task.ALARM:
        return AlarmStep(members, beside)
    if recipe.task is Task.CLASSIFY:
        return ClassifyStep(members, len(recipe.classes or ()))
    return (HorizonStep if recipe.task is Task.SEQ2SEQ else ForecastStep)(members[0], recipe)


def signature(step: StepModule, recipe: Recipe) -> Signature:
    """The shapes of a recipe's step, as its bundle's manifest will tell them."""
    horizon = recipe.horizon
    return Signature(
        recipe.task,
        channels=step.channels,
        state_size=step.state_size,
        horizon_ticks=0 if horizon is None else horizon.ticks,
        classes=len(recipe.classes or ()),
        quantiles=0 if horizon is None else len(horizon.quantiles),
    )


class Opening(nn.Module):
    """`init.onnx`: the state of a generated stream before its first frame, from its profile."""

    rest: Tensor

    def __init__(self, network: Network, step: StepModule) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.network = network
        # No prediction yet, and nothing gathered.
        rest = step.state_size - network.memory.state_size - network.recurrence.state_size
        self.register_buffer("rest", torch.zeros(1, rest))

    def forward(self, profile: Tensor) -> Tensor:
        """(N, P) in the channels' units to (N, S)."""
        return torch.cat([*self.network.begin(profile), self.rest.expand(profile.shape[0], -1)], dim=1)

"""Step of event tasks: the score is a calibrated probability, and contributions come from masking channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from tocsin.engine.model import Task
from tocsin_training.export.step import StepModule, StepOutputs, mean_of
from tocsin_training.nets.cells import shared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin_training.nets.channel_features import ChannelFeatures
    from tocsin_training.nets.heads import EventHead, Outputs
    from tocsin_training.nets.network import Network
    from tocsin_training.nets.tree_ensemble import TreeEnsemble

PAD_TO = 16  # rows; the daemon pads its calls likewise, as a row's last bits depend on the number of rows
MAX_SLOPE = 400.0  # of a calibration in a tolerance: .001 of a probability, .004 of a logit


class EventStep(StepModule):
    """Scores the probability of the labelled event within the horizon.

    Several networks (members) share their channel features; their logits are averaged. A channel's contribution is the
    drop of the logit when that channel is masked in this frame. Only observed channels are masked. All variants are one
    batch of M rows, the N real ones first.

    Attributes:
        tree_ensemble: Trees whose logit is averaged with the members', or None.
        slope: Of the calibration logit → slope * logit + offset, with `offset`.
    """

    task: ClassVar = Task.ALARM
    costly: ClassVar = True
    members: nn.ModuleList
    channel_features: ChannelFeatures
    known: Tensor
    slope: Tensor
    offset: Tensor
    without: Tensor

    def __init__(self, members: Sequence[Network], tree_ensemble: TreeEnsemble | None = None) -> None:
        """Wrap trained networks, and trees."""
        first = members[0]
        sizes = [first.channel_features.state_size, *(member.recurrence.state_size for member in members)]
        super().__init__(first.channels, [*sizes, *([tree_ensemble.state_size] if tree_ensemble else [])])
        self.tree_ensemble = tree_ensemble
        self.members = nn.ModuleList(members)
        self.channel_features = first.channel_features
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("offset", torch.tensor(0.0))
        self.register_buffer("known", 1.0 - first.clock)
        every = torch.cat([torch.ones(1, first.channels), 1.0 - torch.eye(first.channels)])
        self.register_buffer("without", every)  # (C + 1, C): row 0 masks nothing, row c + 1 masks channel c

    def forward(self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor) -> StepOutputs:
        """Run one tick: x, mask, delta (N, C) and state (N, S), with a variant for each observed channel."""
        features_state, *recurrent = torch.split(state, self.sizes, dim=1)
        rows = x.shape[0]
        channel, row = torch.nonzero(mask.T > 0).unbind(1)  # (K,) each: the observed channels
        filling = row.new_zeros(-(rows + row.shape[0]) % PAD_TO)
        owner = torch.cat([torch.arange(rows), row, filling])  # (M,)
        keep = self.without[torch.cat([filling.new_zeros(rows), channel + 1, filling])]  # (M, C)
        xs, masks, deltas = (shared(part, owner) for part in (x, mask, delta))
        xs, masks = xs * keep, masks * keep
        features, features_state = self.channel_features.step(xs, masks, deltas, shared(features_state, owner))

        outputs: list[Outputs] = []
        logits: list[Tensor] = []
        after = [features_state[:rows]]
        for member, past in zip(self._networks(), recurrent[: len(self.members)], strict=True):
            entered = member.encode(features, masks, deltas)
            h, following = member.recurrence.step(entered, past, owner, delta)
            outputs.append(member.outputs(features[:rows], entered[:rows], h[:rows]))
            head = cast("EventHead", member.head)
            logits.append(head.event_logits(member.head_inputs(entered, h)))  # (M,)
            after.append(following[:rows])
        logit = mean_of(logits)
        if self.tree_ensemble is not None:
            trees, following = self.tree_ensemble(xs, masks, delta, recurrent[-1], owner)
            logit = self.tree_ensemble.combined(logit, trees)
            after.append(following)
        logit, others = self.calibrated(logit)
        drop = logit[row] - logit[rows : rows + row.shape[0]]  # (K,)
        contribution = torch.zeros_like(x).index_put((row, channel), drop)  # (N, C)
        seen = features_state[:rows, self.channels : 2 * self.channels]
        score = torch.where(self.total(seen * self.known)[:, 0] > 0, torch.sigmoid(logit[:rows]), torch.nan)
        mean, scale = mean_of([one.mean for one in outputs]), mean_of([one.scale for one in outputs])
        expected = self.channel_features.denormalise(mean, scale)
        return (score, contribution, *expected, torch.cat(after, dim=1), *(other[:rows] for other in others))

    def calibrated(self, logit: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Calibrated logit (M,) of the score, and further outputs of each row."""
        return logit * self.slope + self.offset, ()

    def sequence_scores(self, outputs: Sequence[Outputs], inputs: Sequence[Tensor]) -> NDArray[np.float32]:
        """Scores (B, T) over whole sequences; NaN until something was observed."""
        logit = torch.stack([part.logit for part in outputs]).mean(0)
        if self.tree_ensemble is not None:
            logit = self.tree_ensemble.combined(logit, self.tree_ensemble.sequence_logits(*inputs))
        mask = inputs[1]
        score = torch.sigmoid(self.calibrated(logit.flatten(0, 1))[0].reshape(mask.shape[:2]))
        ever = np.maximum.accumulate((mask * self.known).numpy().any(axis=2), axis=1)
        return np.where(ever, score.numpy(), np.nan)

    def rounding_scale(self, output: str, values: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32] | float:
        """Rounding errors of contributions and scores grow with the slope of the calibration."""
        if output not in {"contribution", "score"}:
            return super().rounding_scale(output, values)
        slope = min(float(self.slope), MAX_SLOPE)
        return slope if output == "contribution" else slope * values[output] * (1 - values[output])

    def _networks(self) -> list[Network]:
        return cast("list[Network]", list(self.members))

"""Forecast of the next hour's level of pressure by a GRU, as a classifier of records.

Sixty records are sixty examples for a classifier. The level of the next hour (`episodes.level`) is known after every
tick of a record, 49 examples each, and is continuous. The network forecasts it by a normal distribution. The
probability that it lies below 60 mmHg ranks the records; a threshold on it, chosen on the records that the network was
fitted on, classifies them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from tocsin_studies.pressure_minute import baselines, episodes
from tocsin_training.bundles.pressure_minute.records import HISTORY, WINDOW
from tocsin_training.nets.cells import Recurrence
from tocsin_training.nets.channel_features import ChannelFeatures
from tocsin_training.nets.distribution import Normal, positive_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset

TICK = 10  # minutes
FIRST = 11  # the tick after which the first hour is forecast: two hours have been seen
WIDTH, DROPOUT = 6, 0.1
EPOCHS, RATE, DECAY, CLIP = 60, 0.03, 0.1, 1.0


class LevelForecaster(nn.Module):
    """Features (B, T, F) to mean and scale (B, T) of the next hour's level, in standard deviations of the pressure."""

    def __init__(self, features: int) -> None:
        """Draw the weights; the initial forecast is persistence."""
        super().__init__()
        self.recurrence = Recurrence("gru", features, WIDTH, 1)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(WIDTH + features, 2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Step over whole sequences: a fused kernel can't be run for many networks at once."""
        h = features.new_zeros(features.shape[0], self.recurrence.state_size)
        mean_ = []
        for t in range(features.shape[1]):
            _, h = self.recurrence.step(features[:, t], h)
            mean_.append(h)
        joined = self.dropout(torch.cat([torch.stack(mean_, dim=1), features], dim=2))
        moved, raw = self.head(joined).unbind(dim=-1)
        return features[..., 0] + moved, positive_scale(raw)


def levels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Level (60,) of a record (660,) in the hour after each tick of its history, mmHg.

    >>> levels(np.concatenate([np.full(600, 80.0), np.full(60, 55.0)]))[[0, 54, 59]].tolist()
    [80.0, 80.0, 55.0]
    """
    return np.array([episodes.level(values[at : at + WINDOW]) for at in range(TICK, HISTORY + 1, TICK)])


def below(
    data: StreamDataset,
    level: NDArray[np.float64],
    without: Sequence[NDArray[np.int64]],
    seed: int,
) -> NDArray[np.float64]:
    """Probability (M, B) for each network and record that the level of the hour after its history is below 60 mmHg.

    The networks are fitted side by side, each on all records but those that `without` names for it; these are not in
    its mean and deviation either.

    Args:
        data: B histories, a frame for every tick of T.
        level: (B, T) mmHg.
        without: M times the records to leave out.
        seed: Of weights and dropout.
    """
    torch.manual_seed(seed)
    fitted = torch.ones(len(without), len(data))  # (M, B)
    for network, left_out in enumerate(without):
        fitted[network, left_out] = 0.0
    inputs, mean, deviation = _features(data, fitted)  # (M, B, T, F), (M,) and (M,)
    target = (torch.from_numpy(level).float() - mean[:, None, None]) / deviation[:, None, None]  # (M, B, T)

    drawn = [LevelForecaster(inputs.shape[-1]) for _ in without]
    weights, fixed = stack_module_state(drawn)
    for weight in weights.values():
        weight.requires_grad_()
    bare = LevelForecaster(inputs.shape[-1])
    every = vmap(lambda w, f, x: functional_call(bare, (w, f), (x,)), randomness="different")
    likelihood = Normal()
    optimiser = torch.optim.AdamW(weights.values(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS, pct_start=0.1)
    bare.train()
    for _ in range(EPOCHS):
        mean_, scale = every(weights, fixed, inputs)
        nll = likelihood.nll((target - mean_) / scale, scale)[..., FIRST:].mean(dim=2)  # (M, B)
        loss = (nll * fitted).sum(dim=1) / fitted.sum(dim=1)
        optimiser.zero_grad()
        torch.autograd.backward(loss.sum())  # no network's weights are in another's loss
        _clip(list(weights.values()))
        optimiser.step()
        schedule.step()
    bare.eval()
    with torch.no_grad():
        mean_, scale = every(weights, fixed, inputs)
        limit = (episodes.LIMIT - mean[:, None]) / deviation[:, None]
        probability = torch.special.ndtr((limit - mean_[..., -1]) / scale[..., -1])
    found: NDArray[np.float64] = probability.double().numpy()
    return found


def left_out(
    data: StreamDataset,
    level: NDArray[np.float64],
    event: NDArray[np.bool_],
    seeds: Sequence[int],
    progress: Callable[[int], None] = lambda _seed: None,
) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Classify each record by networks that were not fitted on it: of each seed alone, and of all together.

    Returns:
        Predictions (B,) and their probabilities (B,). The threshold is the one with the highest accuracy on the B - 1
        others, by the same network.
    """
    each = []
    for seed in seeds:
        each.append(below(data, level, [np.array([b]) for b in range(len(data))], seed))
        progress(seed)
    return [_classified(probability, event) for probability in (*each, np.mean(each, axis=0))]


def _classified(
    probability: NDArray[np.float64], event: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    own = np.diag(probability)
    every = np.arange(len(own))
    limits = [baselines.best_threshold(probability[b, every != b], event[every != b]) for b in every]
    return own >= np.array(limits), own


def _features(data: StreamDataset, fitted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features (M, B, T, F) of each network, normalised by the records it is fitted on; the mean and deviation."""
    shape = (len(data), -1, 1)  # one channel
    x, mask, delta = (torch.from_numpy(part).reshape(shape) for part in (data.x, data.mask, data.delta))
    memory = ChannelFeatures([False], TICK * 60.0, ["envelope"])
    mean_, means, deviations = [], [], []
    for chosen in fitted:
        rows = data.rows(np.flatnonzero(chosen.numpy()))
        memory.fit(data.x[rows], data.mask[rows])
        features, _ = memory(x, mask, delta, torch.zeros(len(data), memory.state_size))
        mean_.append(features)
        means.append(memory.mean[0].clone())
        deviations.append(memory.deviation[0].clone())
    return torch.stack(mean_), torch.stack(means), torch.stack(deviations)


def _clip(weights: Sequence[Tensor]) -> None:
    """Clip the gradient norm of each network to `CLIP`; the first dimension is the network."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norm = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0).sqrt()  # (M,)
    for gradient in gradients:
        gradient.mul_((CLIP / norm.clamp(min=CLIP)).reshape(-1, *[1] * (gradient.dim() - 1)))

"""Training loop: truncated backpropagation through time, early stopping, checkpoints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tocsin_training.data.batches import epoch_streams, in_order, shuffled, windows
from tocsin_training.errors import TrainingError
from tocsin_training.nets.network import Network
from tocsin_training.train import checkpoints
from tocsin_training.train.device import product_dtype

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import Recipe
    from tocsin_training.train.objective import Objective

WARM_UP = 0.1  # share of all updates over which the learning rate rises
VALIDATION_STREAMS = 512  # in a batch at most
VALIDATION_TICKS = 10_000  # in a window at least, where streams are cut
TOLERATED_RISE = 0.1  # of the loss before training; on noise the loss may end a little higher


class Epoch(NamedTuple):
    """Progress after a pass over the training streams.

    Attributes:
        number: From 1.
        train: Mean training loss.
        valid: Validation loss.
        rate: Learning rate of the last update.
        norm: Mean norm of the gradients before clipping.
    """

    number: int
    train: float
    valid: float
    rate: float
    norm: float


def train(  # noqa: PLR0913, PLR0915  (a run has so many knobs, and its loop reads top to bottom)
    objective: Objective,
    recipe: Recipe,
    data: StreamDataset,
    valid: StreamDataset,
    checkpoint: Path,
    *,
    seed: int,
    device: torch.device,
    normalised: StreamDataset | None = None,
    resume: bool = False,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> Network:
    """Train one network; returns that of the epoch with the lowest validation loss.

    The checkpoint holds all state that depends on randomness or time: a resumed run ends with the same weights as one
    that was not interrupted.

    Args:
        objective: Head and loss of the task.
        recipe: Architecture and settings.
        data: Streams to fit on.
        valid: Streams for early stopping.
        checkpoint: File written after every epoch.
        seed: Of weights, order of streams and dropout.
        device: Device of the computation.
        normalised: Streams that set means and deviations in place of `data`, so that members share them.
        resume: Continue from `checkpoint` if it exists.
        on_epoch: Called after every epoch.

    Raises:
        TrainingError: No stream has two frames, the loss is not finite, training made it worse, or the checkpoint is
            not of this run.
    """
    config = recipe.training
    _check(recipe, data, valid)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(recipe, objective)
    network.channel_features.fit((normalised or data).x, (normalised or data).mask)
    network.to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    products = product_dtype(config.precision, device)
    mixed = torch.autocast(device.type, products, enabled=products is not torch.float32)
    scaler = torch.amp.GradScaler(device.type, enabled=products is torch.float16)
    rotation = epoch_streams(data, config.negative_subsampling, seed)
    updates = config.epochs * math.ceil(len(rotation[0]) / config.batch)  # the first part is the largest

    epoch, update, epochs_without_improvement, best_loss = 0, 0, 0, math.inf
    best = _copy(network)
    data_digest = f"{data.digest()} {valid.digest()}"
    if resume and checkpoint.exists():
        saved = checkpoints.load(checkpoint, recipe, seed, data_digest)
        with checkpoints.reading(checkpoint):
            network.load_state_dict(saved["best"])
            network.load_state_dict(saved["network"])
            optimiser.load_state_dict(saved["optimiser"])
            scaler.load_state_dict(saved["scaler"])
            checkpoints.restore_rng(saved["rng"], rng, device)
            epoch, update, epochs_without_improvement, untrained, best_loss, best = (
                saved[name]
                for name in ("epoch", "update", "epochs_without_improvement", "untrained", "best_loss", "best")
            )
    else:
        untrained = validate(objective, network, valid, recipe, device)

    while epoch < config.epochs and epochs_without_improvement < config.patience:
        network.train()
        losses, norms = [], []
        present = rotation[epoch % config.negative_subsampling]
        for batch_indices in shuffled(data.lengths[present], config.batch, rng):
            chosen = present[batch_indices]
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * _rate(update / updates)
            input_mask = _input_mask(network, len(chosen), config.static_dropout, config.reading_dropout, device)
            state = None
            for window, active_rows in windows(data, chosen, config.bptt, device):  # x is (B, T, C)
                # Streams that have ended leave the batch. The state of the others goes into the next window, detached:
                # the gradient stops here.
                input_mask = input_mask[active_rows]
                state = None if state is None else tuple(part[active_rows].detach().float() for part in state)
                with mixed:
                    outputs, state = network(window.x * input_mask, window.mask * input_mask, window.delta, state)
                    loss, _ = objective.loss(network, outputs, window, recipe)
                optimiser.zero_grad()
                torch.autograd.backward(scaler.scale(loss))
                scaler.unscale_(optimiser)
                norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip).item())
                scaler.step(optimiser)
                scaler.update()
                losses.append(loss.item())
            update += 1

        valid_loss = validate(objective, network, valid, recipe, device)
        if not math.isfinite(valid_loss):
            raise TrainingError(
                f"{recipe.name}: the validation loss of epoch {epoch + 1} is {valid_loss}; lower "
                f"training.learning_rate ({config.learning_rate}) or training.clip ({config.clip})"
            )
        epoch, epochs_without_improvement = epoch + 1, epochs_without_improvement + 1
        if valid_loss < best_loss:
            best_loss, epochs_without_improvement, best = valid_loss, 0, _copy(network)
        checkpoints.save(
            checkpoint,
            recipe=recipe.model_dump_json(),
            seed=seed,
            data_digest=data_digest,
            network=network.state_dict(),
            optimiser=optimiser.state_dict(),
            scaler=scaler.state_dict(),
            rng=checkpoints.rng_state(rng, device),
            epoch=epoch,
            update=update,
            epochs_without_improvement=epochs_without_improvement,
            untrained=untrained,
            best_loss=best_loss,
            best=best,
        )
        rate = optimiser.param_groups[0]["lr"]
        on_epoch(Epoch(epoch, float(np.mean(losses)), valid_loss, rate, float(np.mean(norms))))

    if not best_loss <= untrained + TOLERATED_RISE * abs(untrained):  # false for NaN, too
        raise TrainingError(
            f"{recipe.name}: training made it worse: the validation loss was {untrained:.4g} before, and "
            f"{best_loss:.4g} after the best of {epoch} epochs; lower training.learning_rate ({config.learning_rate}), "
            "or check that the validation streams resemble the training streams"
        )
    network.load_state_dict(best)
    return network.cpu().eval()


@torch.no_grad()
def validate(
    objective: Objective, network: Network, valid: StreamDataset, recipe: Recipe, device: torch.device
) -> float:
    """Mean loss over validation streams, each frame weighing the same."""
    network.eval()
    total, frames = 0.0, 0.0
    bptt = recipe.training.bptt
    length = bptt if bptt == "full" else max(bptt, VALIDATION_TICKS)
    for chosen in in_order(valid.lengths, min(VALIDATION_STREAMS, max(recipe.training.batch, 64))):
        state = None
        for window, active_rows in windows(valid, chosen, length, device):
            state = None if state is None else tuple(part[active_rows] for part in state)
            outputs, state = network(window.x, window.mask, window.delta, state)
            _, loss = objective.loss(network, outputs, window, recipe)
            count = float(window.frame_mask.sum())
            total, frames = total + float(loss) * count, frames + count
    return total / frames


def _check(recipe: Recipe, data: StreamDataset, valid: StreamDataset) -> None:
    """Refuse streams none of which has two frames."""
    for streams, purpose in ((data, "fit"), (valid, "stop")):
        if not (streams.lengths > 1).any():
            raise TrainingError(
                f"{recipe.name}: none of the {len(streams)} streams to {purpose} on has two frames; give longer "
                f"streams, or more of them for training.folds {recipe.training.folds}"
            )


def _rate(done: float) -> float:
    """Share of the peak learning rate at a share of all updates: linear warm-up, then a cosine."""
    if done < WARM_UP:
        return (done + 1e-3) / WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (done - WARM_UP) / (1.0 - WARM_UP)))


def _input_mask(network: Network, streams: int, static: float, reading: float, device: torch.device) -> torch.Tensor:
    """Channel dropout (B, 1, C): 0 for the hidden channels of each stream, else 1.

    The daemon may lack a static channel. Hidden readings are still forecast, from the other channels.
    """
    visible = torch.ones(streams, 1, network.channels, device=device)
    kinds = ((static, 1.0 - network.measured - network.clock), (reading, network.measured))
    for share, kind in kinds:
        if share > 0.0:
            visible -= (torch.rand(streams, 1, network.channels) < share).to(kind) * kind
    return visible


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}

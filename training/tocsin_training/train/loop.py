"""The training loop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tocsin_training.data.batches import attending, in_order, shuffled, windows
from tocsin_training.errors import TrainingError
from tocsin_training.nets.network import Network
from tocsin_training.train import checkpoints
from tocsin_training.train.device import product_dtype
from tocsin_training.train.losses import loss_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tocsin_training.data.dataset import Sequences
    from tocsin_training.recipe import Recipe

WARM_UP = 0.1  # share of all updates over which the learning rate rises
MOST_STREAMS = 512  # of a batch that is only looked at
MOST_TICKS = 10_000  # likewise, where streams are cut at all
WORSE = 0.1  # of the loss before the training: of noise there is nothing to learn, and that is all right


class Epoch(NamedTuple):
    """What is told after every pass over the training streams.

    Attributes:
        number: From 1.
        train: The mean training loss.
        valid: The validation loss.
        rate: The learning rate of its last update.
        norm: The mean norm of the gradients, before they were clipped.
    """

    number: int
    train: float
    valid: float
    rate: float
    norm: float


def train(  # noqa: PLR0913, PLR0915  (a run has so many knobs, and its loop reads top to bottom)
    recipe: Recipe,
    data: Sequences,
    valid: Sequences,
    checkpoint: Path,
    *,
    seed: int,
    device: torch.device,
    normalised: Sequences | None = None,
    resume: bool = False,
    tell: Callable[[Epoch], None] = lambda _epoch: None,
) -> Network:
    """Fit one network; gives the one of the epoch with the lowest validation loss.

    Everything that chance or time touches is in the checkpoint, so a run that was cut off and resumed ends with the
    same weights as one that was not.

    Args:
        recipe: What to make.
        data: Streams to fit on.
        valid: Streams to stop on.
        checkpoint: Written after every epoch.
        seed: Of weights, order and dropout.
        device: Where to compute.
        normalised: Streams whose means and deviations to take instead of `data`'s: members share theirs.
        resume: Go on from `checkpoint` if it is there.
        tell: Called after every epoch.
    """
    knobs = recipe.training
    _check(recipe, data, valid)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(recipe)
    network.memory.fit((normalised or data).x, (normalised or data).mask)
    network.to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=knobs.learning_rate, weight_decay=knobs.weight_decay)
    products = product_dtype(knobs.precision, device)
    mixed = torch.autocast(device.type, products, enabled=products is not torch.float32)
    scaler = torch.amp.GradScaler(device.type, enabled=products is torch.float16)
    present = attending(data, knobs.turns, seed)
    updates = knobs.epochs * math.ceil(len(present[0]) / knobs.batch)  # the first turn is the fullest

    epoch, update, waited, best_loss = 0, 0, 0, math.inf
    best = _copy(network)
    met = f"{data.digest()} {valid.digest()}"
    if resume and checkpoint.exists():
        kept = checkpoints.load(checkpoint, recipe, seed, met)
        with checkpoints.fitting(checkpoint):
            network.load_state_dict(kept["best"])
            network.load_state_dict(kept["network"])
            optimiser.load_state_dict(kept["optimiser"])
            scaler.load_state_dict(kept["scaler"])
            checkpoints.restore_rng(kept["chance"], rng, device)
            epoch, update, waited, untrained, best_loss, best = (
                kept[name] for name in ("epoch", "update", "waited", "untrained", "best_loss", "best")
            )
    else:
        untrained = validate(network, valid, recipe, device)

    while epoch < knobs.epochs and waited < knobs.patience:
        network.train()
        losses, norms = [], []
        here = present[epoch % knobs.turns]
        for picked in shuffled(data.lengths[here], knobs.batch, rng):
            chosen = here[picked]
            for group in optimiser.param_groups:
                group["lr"] = knobs.learning_rate * _rate(update / updates)
            shown = _shown(network, len(chosen), knobs.forget_static, knobs.forget_reading, device)  # (B, 1, C)
            state = None
            for window, still in windows(data, chosen, knobs.bptt, device):  # x is (B, T, C)
                # Streams that have ended leave the batch. The state of the others goes on into the next window but
                # its history doesn't: the gradient stops here.
                shown = shown[still]
                state = None if state is None else tuple(part[still].detach().float() for part in state)
                with mixed:
                    said, state = network(window.x * shown, window.mask * shown, window.delta, state)
                    loss, _ = loss_of(network, said, window, recipe)
                optimiser.zero_grad()
                torch.autograd.backward(scaler.scale(loss))
                scaler.unscale_(optimiser)
                norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), knobs.clip).item())
                scaler.step(optimiser)
                scaler.update()
                losses.append(loss.item())
            update += 1

        now = validate(network, valid, recipe, device)
        if not math.isfinite(now):
            raise TrainingError(
                f"{recipe.name}: the validation loss of epoch {epoch + 1} is {now}; lower training.learning_rate "
                f"({knobs.learning_rate}) or training.clip ({knobs.clip})"
            )
        epoch, waited = epoch + 1, waited + 1
        if now < best_loss:
            best_loss, waited, best = now, 0, _copy(network)
        checkpoints.save(
            checkpoint,
            recipe=recipe.model_dump_json(),
            seed=seed,
            met=met,
            network=network.state_dict(),
            optimiser=optimiser.state_dict(),
            scaler=scaler.state_dict(),
            chance=checkpoints.rng_state(rng, device),
            epoch=epoch,
            update=update,
            waited=waited,
            untrained=untrained,
            best_loss=best_loss,
            best=best,
        )
        tell(Epoch(epoch, float(np.mean(losses)), now, optimiser.param_groups[0]["lr"], float(np.mean(norms))))

    if not best_loss <= untrained + WORSE * abs(untrained):  # of no number nothing is better
        raise TrainingError(
            f"{recipe.name}: training made it worse: the validation loss was {untrained:.4g} before, and "
            f"{best_loss:.4g} after the best of {epoch} epochs; lower training.learning_rate ({knobs.learning_rate}), "
            "or look whether the validation streams are like those to fit on"
        )
    network.load_state_dict(best)
    return network.cpu().eval()


@torch.no_grad()
def validate(network: Network, valid: Sequences, recipe: Recipe, device: torch.device) -> float:
    """The mean loss over streams that were not fitted, each frame weighing the same."""
    network.eval()
    total, frames = 0.0, 0.0
    bptt = recipe.training.bptt
    length = bptt if bptt == "full" else max(bptt, MOST_TICKS)
    for chosen in in_order(valid.lengths, min(MOST_STREAMS, max(recipe.training.batch, 64))):
        state = None
        for window, still in windows(valid, chosen, length, device):
            state = None if state is None else tuple(part[still] for part in state)
            said, state = network(window.x, window.mask, window.delta, state)
            _, loss = loss_of(network, said, window, recipe)
            real = float(window.real.sum())
            total, frames = total + float(loss) * real, frames + real
    return total / frames


def _check(recipe: Recipe, data: Sequences, valid: Sequences) -> None:
    """Refuse streams in which nothing follows anything."""
    for streams, purpose in ((data, "fit"), (valid, "stop")):
        if not (streams.lengths > 1).any():
            raise TrainingError(
                f"{recipe.name}: none of the {len(streams)} streams to {purpose} on has two frames; give longer "
                f"streams, or more of them for training.folds {recipe.training.folds}"
            )


def _rate(done: float) -> float:
    """The learning rate's share at this share of all updates: up in a line, down along a cosine."""
    if done < WARM_UP:
        return (done + 1e-3) / WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (done - WARM_UP) / (1.0 - WARM_UP)))


def _shown(network: Network, streams: int, static: float, reading: float, device: torch.device) -> torch.Tensor:
    """(B, 1, C) 0 for some channels of some streams: the daemon may lack an age, and still be told.

    What is hidden of the readings is to be foretold all the same: from the other channels.
    """
    shown = torch.ones(streams, 1, network.channels, device=device)
    kinds = ((static, 1.0 - network.measured - network.clock), (reading, network.measured))
    for share, kind in kinds:
        if share > 0.0:
            shown -= (torch.rand(streams, 1, network.channels) < share).to(kind) * kind
    return shown


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}

"""The training loop."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tocsin_training.batches import attending, in_order, padded, shuffled
from tocsin_training.errors import TrainingError
from tocsin_training.losses import loss_of
from tocsin_training.network import Network
from tocsin_training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tocsin_training.sequences import Sequences

WARM_UP = 0.1  # share of all updates over which the learning rate rises
MOST_STREAMS = 512  # of a batch that is only looked at


def train(  # noqa: PLR0913  (a run has so many knobs; all but the first four are keywords)
    recipe: Recipe,
    data: Sequences,
    valid: Sequences,
    checkpoint: Path,
    *,
    seed: int,
    device: torch.device,
    normalised: Sequences | None = None,
    resume: bool = False,
    tell: Callable[[int, float, float], None] = lambda _epoch, _train, _valid: None,
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
        tell: Called after every epoch with its number (from 1), training and validation loss.
    """
    knobs = recipe.training
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(recipe)
    network.memory.fit((normalised or data).x, (normalised or data).mask)
    network.to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=knobs.learning_rate, weight_decay=knobs.weight_decay)
    present = attending(data, knobs.turns, seed)
    updates = knobs.epochs * math.ceil(len(present[0]) / knobs.batch)  # the first turn is the fullest

    epoch, update, waited, best_loss = 0, 0, 0, math.inf
    best = _copy(network)
    if resume and checkpoint.exists():
        kept = _load(checkpoint, recipe, seed)
        network.load_state_dict(kept["network"])
        optimiser.load_state_dict(kept["optimiser"])
        torch.set_rng_state(kept["torch"])
        rng.bit_generator.state = kept["numpy"]
        epoch, update, waited, best_loss, best = (
            kept[name] for name in ("epoch", "update", "waited", "best_loss", "best")
        )

    while epoch < knobs.epochs and waited < knobs.patience:
        network.train()
        losses = []
        here = present[epoch % knobs.turns]
        for picked in shuffled(data.lengths[here], knobs.batch, rng):
            chosen = here[picked]
            batch = padded(data, chosen, device)  # x is (B, T, C)
            batch = batch._replace(**_forgetful(network, batch.x, batch.mask, knobs.forget_static))
            for group in optimiser.param_groups:
                group["lr"] = knobs.learning_rate * _rate(update / updates)
            state = None
            length = batch.x.shape[1] if knobs.bptt == "full" else knobs.bptt
            for window in batch.windows(length):
                said, state = network(window.x, window.mask, window.delta, state)
                # The state goes on into the next window but its history doesn't: the gradient stops here.
                state = (state[0].detach(), state[1].detach())
                loss, _ = loss_of(network, said, window, recipe)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(network.parameters(), knobs.clip)
                optimiser.step()
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
        _save(
            checkpoint,
            recipe=recipe.model_dump_json(),
            seed=seed,
            network=network.state_dict(),
            optimiser=optimiser.state_dict(),
            torch=torch.get_rng_state(),
            numpy=rng.bit_generator.state,
            epoch=epoch,
            update=update,
            waited=waited,
            best_loss=best_loss,
            best=best,
        )
        tell(epoch, float(np.mean(losses)), now)

    network.load_state_dict(best)
    return network.cpu().eval()


@torch.no_grad()
def validate(network: Network, valid: Sequences, recipe: Recipe, device: torch.device) -> float:
    """The mean loss over streams that were not fitted, each frame weighing the same."""
    network.eval()
    total, frames = 0.0, 0.0
    for chosen in in_order(valid.lengths, min(MOST_STREAMS, max(recipe.training.batch, 64))):
        batch = padded(valid, chosen, device)
        said, _ = network(batch.x, batch.mask, batch.delta)
        _, loss = loss_of(network, said, batch, recipe)
        real = float(batch.real.sum())
        total, frames = total + float(loss) * real, frames + real
    return total / frames


def _rate(done: float) -> float:
    """The learning rate's share at this share of all updates: up in a line, down along a cosine."""
    if done < WARM_UP:
        return (done + 1e-3) / WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (done - WARM_UP) / (1.0 - WARM_UP)))


def _forgetful(network: Network, x: torch.Tensor, mask: torch.Tensor, share: float) -> dict[str, torch.Tensor]:
    """Hide static channels of some streams altogether, so that the daemon may lack an age and still be told."""
    if share == 0.0:
        return {}
    static = 1.0 - network.measured - network.clock  # (C,)
    hidden = (torch.rand(len(x), 1, network.channels) < share).to(x) * static  # (B, 1, C)
    return {"x": x * (1.0 - hidden), "mask": mask * (1.0 - hidden)}


def _copy(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _save(checkpoint: Path, **content: object) -> None:
    """Replace the checkpoint at once: a run killed while it writes leaves the one before."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    fresh = checkpoint.with_suffix(".new")
    torch.save(content, fresh)
    fresh.replace(checkpoint)


def _load(checkpoint: Path, recipe: Recipe, seed: int) -> dict[str, Any]:
    kept: dict[str, Any] = torch.load(checkpoint, weights_only=True, map_location="cpu")
    if Recipe.model_validate_json(kept["recipe"]) != recipe or kept["seed"] != seed:
        raise TrainingError(
            f"checkpoint {checkpoint}: made by another recipe or seed than {recipe.name} with seed {seed}; "
            "train without --resume, or put the recipe back as it was"
        )
    return kept

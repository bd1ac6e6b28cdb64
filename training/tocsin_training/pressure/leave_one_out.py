"""Which record is followed by an episode? Each of the 60 is judged by networks that have not met it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin_training import loop
from tocsin_training.batches import padded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.network import Network
    from tocsin_training.recipe import Recipe
    from tocsin_training.sequences import Sequences

MEMBERS = 3


def chances(
    recipe: Recipe, data: Sequences, runs: Path, tell: Callable[[int, NDArray[np.float64]], None] = lambda _b, _p: None
) -> NDArray[np.float64]:
    """(B, 3) the probability that an episode follows, as each of three networks sees it.

    The three are fitted on the same 59 other records from other weights, for as many epochs as the recipe says: 59
    records are too few to stop on some of them. The record itself is in none of it, nor in the mean and deviation that
    readings are normalised by.

    Args:
        recipe: Of task `classify`, two classes.
        data: B histories; nothing of what follows on them.
        runs: Where checkpoints go; a fit that is there and finished is not done again.
        tell: Called after every record with its number and the three probabilities.
    """
    every = np.arange(len(data))
    found = np.zeros((len(data), MEMBERS))
    for left_out in every:
        others = data.pick(every[every != left_out])
        for member in range(MEMBERS):
            network = loop.train(
                recipe,
                others,
                others,
                runs / f"{recipe.name}-{recipe.version}" / f"{data.streams[left_out]}-{member}.pt",
                seed=recipe.training.seed * 1000 + member,
                device=torch.device("cpu"),
                resume=True,
            )
            found[left_out, member] = chance(network, data.pick(np.array([left_out])))
        tell(int(left_out), found[left_out])
    return found


@torch.no_grad()
def chance(network: Network, record: Sequences) -> float:
    """The probability of the second class at the end of one record."""
    batch = padded(record, np.array([0]), torch.device("cpu"))
    said, _ = network(batch.x, batch.mask, batch.delta)  # logit is (1, T, 2)
    return float(torch.softmax(said.logit[0, -1], dim=-1)[1])

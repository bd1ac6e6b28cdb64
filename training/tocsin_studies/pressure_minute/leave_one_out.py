"""Leave-one-out classification of the 60 records: is a record followed by an episode?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin_training.data.batches import padded
from tocsin_training.errors import TrainingError
from tocsin_training.tasks.registry import task_of
from tocsin_training.train import loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe

MEMBERS = 1


def probabilities(
    recipe: Recipe,
    data: StreamDataset,
    runs: Path,
    progress: Callable[[int, int, float], None] = lambda _m, _b, _p: None,
) -> NDArray[np.float64]:
    """Probability (B, M) of an episode after each record, by each of M networks not fitted on it.

    They are fitted on the same 58 other records from other weights, for as many epochs as the recipe says: the records
    are too few to stop on some of them. The record itself is in none of it, nor in the mean and deviation of the
    normalisation. One of the other class, its counterpart, is left out with it: of 59 records, 30 are of the other
    class, and a network that has learned only the base rate is wrong every time.

    Args:
        recipe: Of task `classify`, two classes.
        data: B histories, without the hour that follows.
        runs: Folder of checkpoints; a finished fit there is not repeated.
        progress: Called after every fit with the network's number, the record's, and the probability.
    """
    if data.kind is None:
        raise TrainingError(f"data.source {recipe.data.source!r} gave no kinds; a record needs one to be left out")
    every, counterparts = np.arange(len(data)), _counterparts(data.kind)
    found = np.zeros((len(data), MEMBERS))
    for member in range(MEMBERS):
        for left_out in every:
            others = data.pick(every[(every != left_out) & (every != counterparts[left_out])])
            network = loop.train(
                task_of(recipe),
                recipe,
                others,
                others,
                runs / f"{recipe.name}-{recipe.version}" / f"{data.streams[left_out]}-{member}.pt",
                seed=recipe.training.seed * 1000 + member,
                device=torch.device("cpu"),
                resume=True,
            )
            found[left_out, member] = probability(network, data.pick(np.array([left_out])))
            progress(member, int(left_out), found[left_out, member])
    return found


def _counterparts(kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index (B,) for each record of the one of the other class at the same place among its own, cyclically.

    >>> _counterparts(np.array([0, 1, 0, 1])).tolist()
    [1, 0, 3, 2]
    """
    of = [np.flatnonzero(kind == k) for k in (0, 1)]
    place = np.where(kind == 1, np.cumsum(kind == 1) - 1, np.cumsum(kind == 0) - 1)
    return np.array([of[1 - k][p % len(of[1 - k])] for k, p in zip(kind, place, strict=True)])


@torch.no_grad()
def probability(network: Network, record: StreamDataset) -> float:
    """Probability of the second class at the end of one record."""
    batch = padded(record, np.array([0]), torch.device("cpu"))
    output, _ = network(batch.x, batch.mask, batch.delta)  # logit is (1, T, 2)
    return float(torch.softmax(output.logit[0, -1], dim=-1)[1])

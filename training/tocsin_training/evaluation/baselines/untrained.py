"""Untrained baselines: random scores, and a recurrent network with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from tocsin.bundle.graph import Graph
from tocsin.bundle.manifest import DataSource
from tocsin.engine.model import Task
from tocsin_training.backtest import rollout
from tocsin_training.evaluation.baselines.baseline import Baseline, needed
from tocsin_training.export import onnx_graph
from tocsin_training.recipe import DataRecipe, NetworkRecipe, Recipe, ServingRecipe, TrainingRecipe
from tocsin_training.tasks.registry import network_of, task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tocsin.bundle.manifest import ChannelEntry
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.heads import ForecastHead

NAME_RANDOM, NAME = "random", "untrained RNN"
WIDTH = 32
DAY_S = 86_400.0


def fit_random(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:  # noqa: ARG001  (it knows nothing)
    """Scores uniform in 0 … 1, independent of each other."""

    def score(data: StreamDataset) -> NDArray[np.float32]:
        return np.random.default_rng(seed).random(len(data.x), dtype=np.float32)

    return Baseline(NAME_RANDOM, "a uniform random number for every row", score)


def fit(channels: Sequence[ChannelEntry], period_s: float, train: StreamDataset | None, seed: int) -> Baseline:
    """A plain RNN of the same family with random weights, normalised on the training part."""
    fitted = needed(train)
    recipe = Recipe(
        name="untrained",
        version="1",
        summary="A recurrent network with random weights.",
        task=Task.FORECAST,
        channels=tuple(channels),
        data=DataRecipe(source="none:none"),
        network=NetworkRecipe(cell="rnn", width=WIDTH),
        training=TrainingRecipe(seed=seed),
        serving=ServingRecipe(period_s=period_s, delta_cap_s=DAY_S, warm_up_ticks=0, max_gap_ticks=1),
        sources=(DataSource(name="none", licence="none", citation="none", part="none"),),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = network_of(recipe)
        cast(
            "ForecastHead", network.head
        ).forecast.reset_parameters()  # it would start as persistence, which is a forecast
    network.channel_features.fit(
        np.array(fitted.x), np.array(fitted.mask)
    )  # a table's are mapped, and can't be written to
    step = task_of(recipe).step_module([network.eval()], recipe, None)
    graph = Graph(onnx_graph.to_onnx(step))

    def score(data: StreamDataset) -> NDArray[np.float32]:
        return rollout.scores(graph, step.state_size, data)

    return Baseline(NAME, f"random weights, width {WIDTH}; surprise of its forecast", score)

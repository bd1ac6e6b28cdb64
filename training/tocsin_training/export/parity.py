"""Parity: the graph computes what was trained, and each row by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin.bundle.graph import GraphError, probe
from tocsin.bundle.signature import field, outputs
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError
from tocsin_training.export.step import InitialStateModule, signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tocsin.bundle.graph import Graph
    from tocsin.bundle.initial_state import InitialState
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe

RELATIVE, ABSOLUTE = 1e-4, 1e-5
STEPS = 500
ROWS = (1, 2, 513)
MODULE_STEPS = 40  # steps that a costly module takes with the largest number of rows
MISSING = 0.3  # share of values
SILENT = 0.05  # share of frames without any reading
VERSIONS_REMEDY = (
    "Install the versions of torch, onnxscript and onnxruntime that constraints.txt names; if they are installed, "
    "report the recipe with this line"
)
INSTABILITY_REMEDY = (
    "Single steps agree, so the network's state amplifies rounding, and no two machines would agree: lower "
    "training.learning_rate, or give more streams or a higher training.weight_decay"
)


def check(graph: Graph, step: StepModule, members: Sequence[Network], recipe: Recipe, steps: int | None = None) -> None:
    """Compare the graph with the step module step by step, and with the networks over whole sequences.

    For every number of rows the graph runs all steps with its own state, and is compared with the networks over the
    whole sequence. The step module, which alone confirms contributions, runs each step from the graph's state; a costly
    module runs only the first `MODULE_STEPS`.

    Raises:
        TrainingError: Two of them differ, or the bits of a row depend on its neighbours.
    """
    for rows in ROWS:
        data = simulated(recipe, rows, steps or STEPS)
        columns = [torch.from_numpy(part.reshape(rows, steps or STEPS, -1)) for part in (data.x, data.mask, data.delta)]
        _check_steps(graph, step, members, recipe, columns)
    try:
        probe(
            graph,
            signature(step, recipe),
            np.array([channel.low for channel in recipe.channels]),
            np.array([channel.high for channel in recipe.channels]),
        )
    except GraphError as error:
        raise TrainingError(f"{recipe.name}: the graph is not fit for the daemon: {error}") from error


def simulated(recipe: Recipe, streams: int, steps: int) -> StreamDataset:
    """Random streams with missing values; readings wander between their channel's low and high."""
    random = np.random.default_rng(streams)
    low = np.array([channel.low for channel in recipe.channels])
    high = np.array([channel.high for channel in recipe.channels])
    records = []
    for stream in range(streams):
        share = (
            0.5 + 0.1 * random.standard_normal((steps, len(low))).cumsum(0) / np.sqrt(np.arange(1, steps + 1))[:, None]
        )
        values = low + (high - low) * np.clip(share + 0.05 * random.standard_normal(share.shape), 0, 1)
        missing = (random.random(values.shape) < MISSING) | (random.random((steps, 1)) < SILENT)
        values[missing] = np.nan
        tick = np.cumsum(random.integers(1, 4, steps))
        records.append(StreamRecord(str(stream), tick, values))
    return StreamDataset.of(recipe.channels, recipe.serving.period_s, recipe.serving.delta_cap_s, records)


@torch.no_grad()
def check_initial_state(start: InitialState, module: InitialStateModule, recipe: Recipe) -> None:
    """Compare `init.onnx` with the module that it was exported from.

    Raises:
        TrainingError: They differ.
    """
    for rows in ROWS:
        profile = simulated(recipe, rows, 1).x @ module.network.profile.numpy().T
        expected = module(torch.from_numpy(profile)).numpy()
        _compare(f"{recipe.name}: the initial state, N = {rows}", start(profile), expected, VERSIONS_REMEDY)


@torch.no_grad()
def _check_steps(
    graph: Graph, step: StepModule, members: Sequence[Network], recipe: Recipe, columns: Sequence[Tensor]
) -> None:
    """Check x, mask and delta (N, T, C)."""
    rows = len(columns[0])
    state = torch.zeros(rows, step.state_size)
    parts = list(columns)
    if members[0].starts_from_profile:
        state = InitialStateModule(members[0], step)(columns[0][:, 0] @ members[0].profile.T)
        parts = list(members[0].with_profile_frame(*columns))
    steps = parts[0].shape[1]
    means = np.empty(parts[0].shape, dtype=np.float32)
    scores = np.empty((rows, steps), dtype=np.float32)
    for t in range(steps):
        inputs = [part[:, t].contiguous() for part in parts]
        x, mask, delta = (part.numpy() for part in inputs)
        got = graph(x, mask, delta, state.numpy())
        before, state, scores[:, t] = state, torch.from_numpy(got.state), got.score
        means[:, t] = step.forecast(torch.from_numpy(got.following[0]), state).numpy()
        if step.costly and rows == max(ROWS) and t >= MODULE_STEPS:
            continue
        expected = dict(zip(outputs(step.task), (part.numpy() for part in step(*inputs, before)), strict=True))
        for name, theirs in expected.items():
            what, scale = f"{recipe.name}: {name} of step {t}, N = {rows}", step.rounding_scale(name, expected)
            _compare(what, getattr(got, field(name)), theirs, VERSIONS_REMEDY, scale)
    _check_sequences(members, recipe, columns, means, scores, step)


def _check_sequences(
    members: Sequence[Network],
    recipe: Recipe,
    inputs: Sequence[Tensor],
    means: NDArray[np.float32],
    scores: NDArray[np.float32],
    step: StepModule,
) -> None:
    """Compare the fused kernels, over the whole sequence, with the graph's steps."""
    made = [member(*inputs)[0] for member in members]
    mean = torch.stack([part.mean for part in made]).mean(0)
    scale = torch.stack([part.scale for part in made]).mean(0)
    expected, wanted_scale = (part.numpy() for part in members[0].channel_features.denormalise(mean, scale))
    over = f"over the whole sequence, N = {len(means)}"
    _compare(f"{recipe.name}: mean {over}", means, expected, INSTABILITY_REMEDY, wanted_scale)
    wanted_scores = step.sequence_scores(made, inputs)
    if wanted_scores is not None:
        size = step.rounding_scale("score", {"score": wanted_scores})
        _compare(f"{recipe.name}: score {over}", scores, wanted_scores, INSTABILITY_REMEDY, size)


def _compare(
    what: str,
    ours: NDArray[np.float32],
    theirs: NDArray[np.float32],
    remedy: str,
    scale: NDArray[np.float32] | float = 1.0,
) -> None:
    """Refuse a difference that is large for the value and for the scale of its rounding errors."""
    tolerance = RELATIVE * np.abs(theirs) + ABSOLUTE * np.maximum(scale, 1.0)
    close = (ours == theirs) | (np.abs(ours - theirs) <= tolerance) | (np.isnan(ours) & np.isnan(theirs))
    if not close.all():
        worst = np.unravel_index(np.argmax(np.where(close, -1.0, np.abs(ours - theirs) / tolerance)), ours.shape)
        raise TrainingError(
            f"{what}: the graph gives {ours[worst]:.7g}, PyTorch {theirs[worst]:.7g}, which may differ by "
            f"{tolerance[worst]:.2g}; the bundle was not written. {remedy}"
        )

"""Does the graph compute what was trained, and each row by itself?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tocsin.bundle.graph import GraphError, probe
from tocsin.bundle.signature import field, outputs
from tocsin.engine.model import ChannelKind, Task
from tocsin_training.data.dataset import Record, Sequences
from tocsin_training.errors import TrainingError
from tocsin_training.export.step import AlarmStep, HorizonStep, Opening, signature

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tocsin.bundle.graph import Graph
    from tocsin.bundle.start import Start
    from tocsin_training.export.step import StepModule
    from tocsin_training.nets.network import Network
    from tocsin_training.recipe import Recipe

RELATIVE, ABSOLUTE = 1e-4, 1e-5
STEEPEST = 400.0  # slope of a calibration that is still allowed for: .001 of a probability, .004 of a logit
STEPS = 500
ROWS = (1, 2, 513)
MODULE_STEPS = 40  # of many rows in PyTorch too, where a step is dear: a variant per channel, or K decoded frames
MISSING = 0.3  # share of values
SILENT = 0.05  # share of frames that carry no reading at all
ANOTHER = (
    "Install the versions of torch, onnxscript and onnxruntime that constraints.txt names; where these are yours, "
    "report the recipe with this line"
)
GROWING = (
    "Step by step they agree, so the network's state makes much of the least rounding, and no two machines would "
    "agree: lower training.learning_rate, or give more streams or a higher training.weight_decay"
)


def check(graph: Graph, step: StepModule, members: Sequence[Network], recipe: Recipe, steps: int | None = None) -> None:
    """Compare the graph with the step module step by step, and with the network over whole sequences.

    The graph goes through all steps, for every number of rows, carries its own state, and must agree with the network
    over the whole sequence; the step module, whose contributions only it can confirm, takes each step from the graph's
    state, for as long as that is bearable.

    Raises:
        TrainingError: Where two of them differ, or a row's bits depend on its neighbours.
    """
    for rows in ROWS:
        data = made_up(recipe, rows, steps or STEPS)
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


def made_up(recipe: Recipe, streams: int, steps: int) -> Sequences:
    """Plausible streams with much missing: readings wander between their channel's low and high."""
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
        records.append(Record(str(stream), tick, values))
    return Sequences.of(recipe.channels, recipe.serving.period_s, recipe.serving.delta_cap_s, records)


@torch.no_grad()
def check_start(start: Start, opening: Opening, recipe: Recipe) -> None:
    """Compare `init.onnx` with the module that it was exported from.

    Raises:
        TrainingError: The two differ.
    """
    for rows in ROWS:
        profile = made_up(recipe, rows, 1).x @ opening.network.profile.numpy().T
        wanted = opening(torch.from_numpy(profile)).numpy()
        _compare(f"{recipe.name}: the first state, N = {rows}", start(profile), wanted, ANOTHER)


@torch.no_grad()
def _check_steps(
    graph: Graph, step: StepModule, members: Sequence[Network], recipe: Recipe, columns: Sequence[Tensor]
) -> None:
    """Check x, mask and delta (N, T, C)."""
    rows = len(columns[0])
    state = torch.zeros(rows, step.state_size)
    parts = list(columns)
    if recipe.task is Task.GENERATE:
        state = Opening(members[0], step)(columns[0][:, 0] @ members[0].profile.T)
        parts = list(members[0].opened(*columns))
    steps = parts[0].shape[1]
    means = np.empty(parts[0].shape, dtype=np.float32)
    scores = np.empty((rows, steps), dtype=np.float32)
    for t in range(steps):
        inputs = [part[:, t].contiguous() for part in parts]
        x, mask, delta = (part.numpy() for part in inputs)
        got = graph(x, mask, delta, state.numpy())
        before, state, scores[:, t] = state, torch.from_numpy(got.state), got.score
        means[:, t] = step.forecast(torch.from_numpy(got.following[0]), state).numpy()
        if rows == max(ROWS) and t >= MODULE_STEPS and isinstance(step, AlarmStep | HorizonStep):
            continue
        said = (part.numpy() for part in step(*inputs, before))
        wanted = dict(zip(outputs(step.task), said, strict=True))
        for name, theirs in wanted.items():
            what, of = f"{recipe.name}: {name} of step {t}, N = {rows}", _size(name, wanted, step)
            _compare(what, getattr(got, field(name)), theirs, ANOTHER, of)
    _check_sequences(members, recipe, columns, means, scores, step)


def _check_sequences(
    members: Sequence[Network],
    recipe: Recipe,
    inputs: Sequence[Tensor],
    means: NDArray[np.float32],
    scores: NDArray[np.float32],
    step: StepModule,
) -> None:
    """The fused kernels that were trained, over the whole sequence, against the graph's steps."""
    said = [member(*inputs)[0] for member in members]
    mean = torch.stack([part.mean for part in said]).mean(0)
    scale = torch.stack([part.scale for part in said]).mean(0)
    wanted, spread = (part.numpy() for part in members[0].memory.in_units(mean, scale))
    _compare(f"{recipe.name}: mean over the whole sequence, N = {len(means)}", means, wanted, GROWING, spread)
    if isinstance(step, AlarmStep):
        mean = torch.stack([part.logit for part in said]).mean(0)
        if step.beside is not None:
            mean = step.beside.joined(mean, step.beside.over(*inputs))
        logit = step.judge(mean.flatten(0, 1))[0].reshape(scores.shape)
        known = np.array([channel.kind is not ChannelKind.CLOCK for channel in recipe.channels])
        ever = np.maximum.accumulate((inputs[1].numpy() * known).any(axis=2), axis=1)
        chance = np.where(ever, torch.sigmoid(logit).numpy(), np.nan)
        of = _size("score", {"score": chance}, step)
        _compare(f"{recipe.name}: score over the whole sequence, N = {len(means)}", scores, chance, GROWING, of)


def _size(name: str, wanted: Mapping[str, NDArray[np.float32]], step: StepModule) -> NDArray[np.float32] | float:
    """What an output's rounding grows with: a forecast's with its scale, what follows from a logit with its slope."""
    if name == "mean":
        return wanted["scale"]
    if not isinstance(step, AlarmStep) or name not in {"contribution", "score"}:
        return 1.0
    slope = min(float(step.slope), STEEPEST)
    return slope if name == "contribution" else slope * wanted[name] * (1 - wanted[name])


def _compare(
    what: str,
    ours: NDArray[np.float32],
    theirs: NDArray[np.float32],
    otherwise: str,
    of: NDArray[np.float32] | float = 1.0,
) -> None:
    """Refuse a difference that is large for the value, and large for the size that such values are `of`."""
    bearable = RELATIVE * np.abs(theirs) + ABSOLUTE * np.maximum(of, 1.0)
    close = (ours == theirs) | (np.abs(ours - theirs) <= bearable) | (np.isnan(ours) & np.isnan(theirs))
    if not close.all():
        worst = np.unravel_index(np.argmax(np.where(close, -1.0, np.abs(ours - theirs) / bearable)), ours.shape)
        raise TrainingError(
            f"{what}: the graph gives {ours[worst]:.7g}, PyTorch {theirs[worst]:.7g}, {bearable[worst]:.2g} apart at "
            f"most; the bundle was not written. {otherwise}"
        )

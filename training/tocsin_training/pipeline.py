"""Pipeline from a recipe to a bundle: data, training, calibration, export, parity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tocsin.bundle.graph import Graph
from tocsin.bundle.initial_state import InitialState
from tocsin.bundle.manifest import Manifest
from tocsin_training.data import summary
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError
from tocsin_training.export import onnx_graph, parity
from tocsin_training.export.step import InitialStateModule
from tocsin_training.nets import tree_ensemble
from tocsin_training.tasks import registry
from tocsin_training.train import checkpoints, sufficiency
from tocsin_training.train.members import HeldOut, Run, folds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.nets.network import Network
    from tocsin_training.nets.tree_ensemble import TreeEnsemble
    from tocsin_training.recipe import Recipe
    from tocsin_training.tasks.protocol import CalibrationResult
    from tocsin_training.train.loop import Epoch


@dataclass(frozen=True, slots=True)
class TrainedBundle:
    """Manifest and graphs of a bundle that is not written yet.

    Attributes:
        manifest: Of the bundle.
        graph: Bytes of `model.onnx`.
        init: Bytes of `init.onnx`, for streams that start from a profile.
    """

    manifest: Manifest
    graph: bytes
    init: bytes | None = None


def train_bundle(
    recipe: Recipe,
    folder: Path,
    *,
    runs: Path,
    device: torch.device,
    resume: bool = False,
    on_epoch: Callable[[int, Epoch], None] = lambda _member, _epoch: None,
    on_message: Callable[[str], None] = lambda _line: None,
) -> TrainedBundle:
    """Train, calibrate, export and check what a recipe describes.

    Args:
        recipe: The recipe.
        folder: Of the records.
        runs: Of checkpoints, in a folder by the recipe's name, version and seed.
        device: To train on; all else runs on the CPU, as in the daemon.
        resume: Continue from the checkpoints of an interrupted run.
        on_epoch: Called with the member's number after every epoch.
        on_message: Called with a summary of each part of the data before training.

    Raises:
        TrainingError: Recipe, records or trained model are unfit; the text gives the remedy.
    """
    task = registry.task_of(recipe)
    if (fault := registry.recipe_fault(recipe)) is not None:
        raise TrainingError(f"recipe {recipe.name}: {fault}")
    data, valid = (read(recipe, part, folder, runs) for part in ("train", "valid"))
    for part, streams in (("train", data), ("valid", valid)):
        task.check_records(recipe, streams)
        on_message(summary.summary(part, streams, recipe.serving.period_s))
    sufficiency.check(recipe, data, valid)
    task.check_sufficiency(recipe, data, valid)

    run = Run(checkpoints.folder(runs, recipe), device, resume, on_epoch)
    members, held_out = task.train(recipe, data, valid, run)
    trees = None
    if recipe.tree_ensemble is not None:
        trees, held_out = _with_trees(recipe, data, valid, held_out)
    step = task.step_module(members, recipe, trees)
    point = task.fit_step(step, recipe, data, held_out)

    serialised = onnx_graph.to_onnx(step)
    graph = Graph(serialised, recipe.task)
    parity.check(graph, step, members, recipe)
    init = None
    if recipe.profile is not None:
        module = InitialStateModule(members[0], step)
        init = onnx_graph.initial_state_to_onnx(module)
        parity.check_initial_state(InitialState(init), module, recipe)
    point = point or task.operating_point(graph, step, recipe, valid)
    return TrainedBundle(_manifest(recipe, members[0], step.state_size, point, serialised, init), serialised, init)


def _with_trees(
    recipe: Recipe, data: StreamDataset, valid: StreamDataset, held_out: HeldOut
) -> tuple[TreeEnsemble, HeldOut]:
    """Train the trees on the members' folds, and combine their logits with the members'."""
    fold = folds(data, recipe.training.folds, recipe.training.seed)
    trees, logit = tree_ensemble.train_trees(recipe, data, valid, fold)
    combined = trees.combined(torch.from_numpy(held_out.logit), torch.from_numpy(logit)).numpy()
    return trees, HeldOut(held_out.data, combined)


def _manifest(
    recipe: Recipe, network: Network, state_size: int, point: CalibrationResult, graph: bytes, init: bytes | None
) -> Manifest:
    calibration, figures = point
    serving, horizon, df = recipe.serving, recipe.horizon, network.distribution.df()
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        task=recipe.task,
        cell=recipe.network.cell,
        summary=recipe.summary,
        channels=recipe.channels,
        period_s=serving.period_s,
        any_period=serving.any_period,
        horizon_s=serving.horizon_s if registry.task_of(recipe).predicts_events else None,
        horizon_ticks=None if horizon is None else horizon.ticks,
        quantiles=None if horizon is None else horizon.quantiles,
        classes=recipe.classes,
        df=None if df is None else tuple(round(value, 4) for value in df.tolist()),
        profile=recipe.profile,
        state_size=state_size,
        warm_up_ticks=serving.warm_up_ticks,
        max_gap_ticks=serving.max_gap_ticks,
        delta_cap_s=serving.delta_cap_s,
        calibration=calibration,
        training=recipe.sources,
        figures=figures,
        sha256=hashlib.sha256(graph).hexdigest(),
        init_sha256=None if init is None else hashlib.sha256(init).hexdigest(),
    )

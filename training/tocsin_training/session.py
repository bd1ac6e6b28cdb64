"""Training session of a terminal: progress while a recipe trains, and its bundle at the end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tocsin_training import recipe_file
from tocsin_training.export import bundle_folder
from tocsin_training.paths import check_folder
from tocsin_training.pipeline import train_bundle
from tocsin_training.recalibrate import curve_data, recalibrate
from tocsin_training.train import checkpoints, tensorboard
from tocsin_training.train.device import device_of

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin_training.train.loop import Epoch


def run(  # noqa: PLR0913  (as many as the command has options)
    path: Path,
    *,
    out: Path,
    data: Path,
    runs: Path,
    seed: int | None,
    device: str,
    threads: int,
    curves: Path | None,
    resume: bool,
) -> Path:
    """Train the recipe at `path`; returns the bundle's folder.

    Raises:
        TrainingError: Recipe, records, folders or trained model are unfit.
    """
    recipe = recipe_file.read(path)
    if seed is not None:
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": seed})})
    check_folder("--out", out / recipe.name / recipe.version)
    check_folder("--runs", checkpoints.folder(runs, recipe))
    check_folder("--runs", runs / "tables")
    if curves is not None:
        check_folder("--log", curves / recipe.name)
    if threads:
        torch.set_num_threads(threads)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[loss]}"),
    )
    with ExitStack() as stack, Progress(*columns, console=Console(stderr=True)) as progress:
        write = None if curves is None else tensorboard.curves(curves / recipe.name, stack)
        bars = [
            progress.add_task(
                f"{recipe.name} {member + 1}/{recipe.training.folds}", total=recipe.training.epochs, loss=""
            )
            for member in range(recipe.training.folds)
        ]

        def print_line(line: str) -> None:
            progress.console.print(line, soft_wrap=True, highlight=False, markup=False)

        def show_epoch(member: int, epoch: Epoch) -> None:
            progress.update(
                bars[member], completed=epoch.number, loss=f"train {epoch.train:.4f} valid {epoch.valid:.4f}"
            )
            if write is not None:
                write(member, epoch)

        if resume and not checkpoints.folder(runs, recipe).exists():
            print_line(f"nothing to resume in {checkpoints.folder(runs, recipe)}: from the beginning")
        counted = curve_data(recipe, data, runs)  # faults of that part are reported before the training
        bundle = train_bundle(
            recipe,
            data,
            runs=runs,
            device=device_of(device),
            resume=resume,
            on_epoch=show_epoch,
            on_message=print_line,
        )
        if bundle_folder.replaces(out, bundle.manifest):
            print_line(
                f"{recipe.name}/{recipe.version} had another graph: its streams begin anew, and alarms that it raised "
                "can no more be explained; raise `version` to keep both"
            )
    folder = bundle_folder.write(out, bundle.manifest, bundle.graph, path, init=bundle.init, seed=seed)
    recalibrate(folder, recipe, counted)
    return folder

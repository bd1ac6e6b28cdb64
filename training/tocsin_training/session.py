"""A training run as a person sees it: progress on the terminal, a bundle at its end."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tocsin_training import log, publish
from tocsin_training import recipe as recipes
from tocsin_training.errors import TrainingError
from tocsin_training.make import make
from tocsin_training.recalibrate import recalibrate

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin_training.loop import Epoch


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
    """Train what the recipe at `path` describes; gives the bundle's folder."""
    recipe = recipes.read(path)
    for option, place in (("--out", out), ("--runs", runs)):
        _check_place(option, place)
    if seed is not None:
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": seed})})
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
        write = None if curves is None else log.curves(curves / recipe.name, stack)
        bars = [
            progress.add_task(
                f"{recipe.name} {member + 1}/{recipe.training.folds}", total=recipe.training.epochs, loss=""
            )
            for member in range(recipe.training.folds)
        ]

        def tell(member: int, epoch: Epoch) -> None:
            progress.update(
                bars[member], completed=epoch.number, loss=f"train {epoch.train:.4f} valid {epoch.valid:.4f}"
            )
            if write is not None:
                write(member, epoch)

        made = make(recipe, data, runs=runs, device=chosen(device), resume=resume, tell=tell)
    folder = publish.write(out, made.manifest, made.graph, path, init=made.init, seed=seed)
    recalibrate(folder, recipe, data, runs)
    return folder


def _check_place(option: str, place: Path) -> None:
    """Better before the training than after it."""
    there = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "may not be written to" if there.is_dir() else "is no folder"
        raise TrainingError(f"{option} {place}: {there} {why}; give another folder")


def chosen(device: str) -> torch.device:
    """The device that was asked for; `auto` takes an accelerator where there is one."""
    if device == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        wanted = torch.device(device)
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"device {device!r} cannot be used ({str(error).splitlines()[0]}); say cpu, or auto"
        ) from error
    return wanted

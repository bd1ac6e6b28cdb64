"""`tocsin train`. PyTorch is imported only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tocsin_training.errors import TrainingError, leave

LARGEST_SEED = 2**32 - 1


def train(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="Recipe file, such as training/recipes/icu-hourly.yaml.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of bundles; the new one goes to NAME/VERSION/ in it.")] = Path(
        "models"
    ),
    data: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("../shared/data"),
    runs: Annotated[Path, typer.Option(help="Folder of checkpoints.")] = Path("runs"),
    seed: Annotated[int | None, typer.Option(min=0, max=LARGEST_SEED, help="Seed in place of the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="Device of PyTorch: auto, cpu, cuda, …")] = "auto",
    threads: Annotated[
        int, typer.Option(help="Threads of PyTorch on the CPU; one is often fastest on steps this small.", min=1)
    ] = 1,
    log: Annotated[Path | None, typer.Option(help="Folder of curves for TensorBoard, one subfolder a bundle.")] = None,
    *,
    resume: Annotated[bool, typer.Option(help="Resume from the checkpoints of an interrupted run.")] = False,
) -> None:
    """Train a model from a recipe and write its bundle: graph, manifest, card.

    The bundle is written only if graph and network agree over 500 steps and no row's bits depend on its neighbours.
    """
    try:
        import torch  # noqa: PLC0415, F401  (the daemon's command line must start without it)
    except ModuleNotFoundError:
        leave("training needs PyTorch, which is not installed", "pip install 'tocsin[training]'")
    from tocsin_training.session import run  # noqa: PLC0415  (imports torch)

    try:
        folder = run(
            recipe,
            out=out,
            data=data,
            runs=runs,
            seed=seed,
            device=device,
            threads=threads,
            curves=log,
            resume=resume,
        )
    except TrainingError as error:
        leave(error)
    typer.echo(f"wrote {folder}")

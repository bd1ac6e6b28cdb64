"""`tocsin train`. PyTorch is imported only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tocsin_training.errors import TrainingError, leave

LARGEST_SEED = 2**32 - 1


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="Such as training/recipes/icu-hourly.yaml.")],
    out: Annotated[Path, typer.Option(help="Where bundles lie; the new one goes to NAME/VERSION/ in it.")] = Path(
        "models"
    ),
    data: Annotated[Path, typer.Option(help="Where the records lie.")] = Path("../shared/data"),
    runs: Annotated[Path, typer.Option(help="Where checkpoints go.")] = Path("runs"),
    seed: Annotated[int | None, typer.Option(min=0, max=LARGEST_SEED, help="Instead of the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    threads: Annotated[
        int, typer.Option(help="Of PyTorch on the CPU; on steps this small one is often fastest.", min=1)
    ] = 1,
    log: Annotated[Path | None, typer.Option(help="Write curves for TensorBoard here, in a folder by name.")] = None,
    *,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoints of a run that was cut off.")] = False,
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

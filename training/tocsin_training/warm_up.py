"""Warm-up of a bundle as a command: `python -m tocsin_training.warm_up models/ward-vitals/1`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tocsin.bundle import load
from tocsin_training import recipe_file
from tocsin_training.calibration import warm_up
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError, leave


def main(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Such as models/ward-vitals/1.")],
    data: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("../shared/data"),
    runs: Annotated[Path, typer.Option(help="Folder of converted tables.")] = Path("runs"),
    part: Annotated[str, typer.Option(help="Part of the recipe's data.")] = "test",
    ticks: Annotated[int, typer.Option(min=2, help="Ticks observed after a cut.")] = 900,
    cuts: Annotated[int, typer.Option(min=1, help="Cuts in each stream.")] = 8,
    *,
    into: Annotated[bool, typer.Option("--write", help="Write the result into the manifest.")] = False,
) -> None:
    """Measure how long a model warms up."""
    try:
        streams = read(recipe_file.read(bundle / "recipe.yaml"), part, data, runs)
        measured = warm_up.measure(load(bundle), streams, ticks=ticks, cuts=cuts)
    except TrainingError as error:
        leave(error)
    typer.echo(f"{measured.cuts} pairs; they agree if they differ by no more than {measured.noise:.4g}")
    for share, needed in measured.ticks.items():
        within = f"after {needed} ticks" if needed is not None else f"not within {ticks} ticks"
        typer.echo(f"{share:.0%} of them agree {within}; at the end they differ by {measured.differs[share][-1]:.4g}")
    if into:
        warm_up.write(bundle, measured)


if __name__ == "__main__":
    typer.run(main)

"""`tocsin experiment`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tocsin_training.errors import TrainingError, leave


def experiment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the experiment, see --list.")] = "",
    out: Annotated[Path, typer.Option(help="Folder of NAME.json and NAME.svg.")] = Path("runs/memory"),
    page: Annotated[Path | None, typer.Option(help="Page whose table is replaced, such as docs/memory.md.")] = None,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run for seconds instead of minutes, with fewer cases.")
    ] = False,
    names: Annotated[bool, typer.Option("--list", help="List the experiments.")] = False,
) -> None:
    """Run an experiment on the memory of recurrent networks with small synthetic tasks; see docs/memory.md."""
    try:
        from tocsin_studies.rnn_memory.catalogue import EXPERIMENTS  # noqa: PLC0415  (as in tocsin_training.cli)
        from tocsin_studies.rnn_memory.run import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        leave(f"experiments need {error.name}, which is not installed", "pip install 'tocsin[training]'")
    if names or not name:
        for known, entry in EXPERIMENTS.items():
            typer.echo(f"{known:12}{entry.shows} ({entry.minutes:g} min)")
        return
    try:
        table = run(name, out, page, quick=quick, progress=lambda what: typer.echo(what, err=True))
    except TrainingError as error:
        leave(error)
    typer.echo(table)

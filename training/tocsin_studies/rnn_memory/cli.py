"""`tocsin experiment`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXIT_FAULTY = 2


def experiment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See --list.")] = "",
    out: Annotated[Path, typer.Option(help="Where NAME.json and NAME.svg go.")] = Path("runs/memory"),
    page: Annotated[Path | None, typer.Option(help="Such as docs/memory.md: its table is replaced.")] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Seconds instead of minutes; proves less.")] = False,
    names: Annotated[bool, typer.Option("--list", help="Name them all.")] = False,
) -> None:
    """Run an experiment on the memory of recurrent networks with small synthetic tasks; see docs/memory.md."""
    try:
        from tocsin_studies.rnn_memory.catalogue import EXPERIMENTS  # noqa: PLC0415  (as in tocsin_training.cli)
        from tocsin_studies.rnn_memory.run import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        typer.secho(f"error: experiments need {error.name}, which is not installed", err=True, fg=typer.colors.RED)
        typer.secho("remedy: pip install 'tocsin[training]'", err=True)
        raise typer.Exit(EXIT_FAULTY) from None
    from tocsin_training.errors import TrainingError  # noqa: PLC0415

    if names or not name:
        for known, entry in EXPERIMENTS.items():
            typer.echo(f"{known:12}{entry.shows} ({entry.minutes:g} min)")
        return
    try:
        table = run(name, out, page, quick=quick, tell=lambda what: typer.echo(what, err=True))
    except TrainingError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(EXIT_FAULTY) from None
    typer.echo(table)

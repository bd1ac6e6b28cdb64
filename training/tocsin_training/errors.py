"""Errors of training that a user can fix, and how a command reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import typer
from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EXIT_FAULTY = 2


class TrainingError(Exception):
    """Fault of a recipe, of the data or of a run; its text names the thing, the value and the remedy."""


def described(fault: ErrorDetails) -> str:
    """Fault of one value, as text; with the value where it is short."""
    if fault["type"] == "extra_forbidden":
        return f"is not a known key, found {fault['input']!r:.80}"
    message = fault["msg"].removeprefix("Value error, ")
    return message if isinstance(fault["input"], dict | BaseModel) else f"{message}, found {fault['input']!r:.80}"


def leave(error: object, remedy: str | None = None) -> NoReturn:
    """Print an error and its remedy, and end the command with `EXIT_FAULTY`."""
    typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
    if remedy:
        typer.secho(f"remedy: {remedy}", err=True)
    raise typer.Exit(EXIT_FAULTY)

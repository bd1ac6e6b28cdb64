"""How a command fails: one or two lines, the thing and its remedy, no traceback."""

from __future__ import annotations

import click


class Failure(click.ClickException):
    """A failure that its reader can do something about."""

    exit_code = 1

    def __init__(self, problem: str, remedy: str | None = None) -> None:
        """Say what is wrong and what helps.

        Args:
            problem: The thing and the value.
            remedy: What to do.
        """
        super().__init__(problem if remedy is None else f"{problem}\n  {remedy}")

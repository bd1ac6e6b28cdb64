"""The error of a command: one line for the problem, one for the remedy, no traceback."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818  (it ends a command in good order)
    """A failure that the user can remedy; `main` prints it and sets the exit code.

    It is no `click.ClickException`: newer versions of typer bundle their own click and do not catch the other one.

    Args:
        problem: The thing and the value.
        remedy: The next step for the user.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str | None = None) -> None:
        super().__init__(f"error: {problem}" if remedy is None else f"error: {problem}\nremedy: {remedy}")

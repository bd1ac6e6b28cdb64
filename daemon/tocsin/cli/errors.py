"""How a command fails: one or two lines, the thing and its remedy, no traceback."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818  (it is told to a person, and ends the command in good order)
    """A failure that its reader can do something about; `main` prints it.

    No `click.ClickException`: newer versions of typer carry a click of their own, and don't know the other one's.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str | None = None) -> None:
        """Say what is wrong and what helps.

        Args:
            problem: The thing and the value.
            remedy: What to do.
        """
        super().__init__(f"error: {problem}" if remedy is None else f"error: {problem}\nremedy: {remedy}")

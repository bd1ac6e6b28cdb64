"""What can go wrong in a training run that its user can mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class TrainingError(Exception):
    """A fault of the recipe, the data or the run; its text names the thing, the value and the remedy."""


def told(fault: ErrorDetails) -> str:
    """What is wrong with a value of a recipe, in words, and the value where it is short."""
    if fault["type"] == "extra_forbidden":
        return f"is not a known key, found {fault['input']!r:.80}"
    message = fault["msg"].removeprefix("Value error, ")
    return message if isinstance(fault["input"], dict | BaseModel) else f"{message}, found {fault['input']!r:.80}"

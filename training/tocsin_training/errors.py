"""What can go wrong in a training run that its user can mend."""

from __future__ import annotations


class TrainingError(Exception):
    """A fault of the recipe, the data or the run; its text names the thing, the value and the remedy."""

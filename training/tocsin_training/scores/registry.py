"""Registry of score modules: by `score.kind` of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin_training.scores.departure import Departure
from tocsin_training.scores.surprise import EwmaSurprise, Surprise
from tocsin_training.scores.whitened import Whitened

if TYPE_CHECKING:
    from tocsin_training.recipe import ScoreRecipe


def score_module_of(recipe: ScoreRecipe, channels: int) -> Surprise:
    """Score module of a recipe, for C channels."""
    match recipe.kind:
        case "nll":
            return Surprise(channels, recipe.clip)
        case "ewma":
            return EwmaSurprise(channels, recipe.clip, recipe.ticks)
        case "departure":
            return Departure(channels, recipe.clip)
        case "whitened":
            return Whitened(channels, recipe.clip, recipe.ticks, recipe.first_ticks, recipe.slack)

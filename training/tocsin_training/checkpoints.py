"""Where a run stands after every epoch, as a file, so that one that was cut off can go on."""

from __future__ import annotations

from contextlib import contextmanager
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import torch
from pydantic import ValidationError

from tocsin_training.errors import TrainingError
from tocsin_training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

WORDS = {"summary", "sources"}  # of a recipe: what the bundle says of itself, and no weight depends on


def save(checkpoint: Path, **content: object) -> None:
    """Replace the checkpoint at once: a run killed while it writes leaves the one before."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    fresh = checkpoint.with_suffix(".new")
    torch.save(content, fresh)
    fresh.replace(checkpoint)


def load(checkpoint: Path, recipe: Recipe, seed: int, met: str) -> dict[str, Any]:
    """What a checkpoint holds.

    Args:
        checkpoint: The file.
        recipe: What it has to be of.
        seed: Likewise, of the member.
        met: Likewise, the digests of the records.

    Raises:
        TrainingError: It can't be read, or is of something else.
    """
    with fitting(checkpoint):
        with ZipFile(checkpoint) as archive:  # PyTorch itself asks no checksum
            if (part := archive.testzip()) is not None:
                raise BadZipFile(f"{part} is not what was written")
        kept: dict[str, Any] = torch.load(checkpoint, weights_only=True, map_location="cpu")
        made_by, its_seed, had_met = Recipe.model_validate_json(kept["recipe"]), kept["seed"], kept["met"]
    differ = _differing(made_by.model_dump(exclude=WORDS), recipe.model_dump(exclude=WORDS))
    if differ:
        raise TrainingError(
            f"checkpoint {checkpoint}: made by another recipe {recipe.name}, in which {'; '.join(differ)}; "
            "train without --resume, or put the recipe back as it was"
        )
    if its_seed != seed:
        raise TrainingError(
            f"checkpoint {checkpoint}: of another member of {recipe.name}, or another seed; train without --resume"
        )
    if had_met != met:
        raise TrainingError(
            f"checkpoint {checkpoint}: made on other records than those that {recipe.data.source} gives now; "
            "train without --resume, or put the records back as they were"
        )
    return kept


@contextmanager
def fitting(checkpoint: Path) -> Iterator[None]:
    """Tell of a file that holds something else, whatever that is, in the same words."""
    try:
        yield
    except EOFError as error:
        raise _unreadable(checkpoint, "it ends too soon") from error
    except UnpicklingError as error:
        raise _unreadable(checkpoint, "something else is in it") from error
    except KeyError as error:
        raise _unreadable(checkpoint, f"it lacks {error}") from error
    except ValidationError as error:
        raise _unreadable(checkpoint, "its recipe has other keys") from error
    except (OSError, BadZipFile, RuntimeError, TypeError, ValueError, AttributeError, LookupError) as error:
        raise _unreadable(checkpoint, str(error).partition("\n")[0].rstrip(":")) from error


def _unreadable(checkpoint: Path, told: str) -> TrainingError:
    return TrainingError(
        f"checkpoint {checkpoint} cannot be read ({told}): it is damaged, or another version wrote it; "
        "train without --resume"
    )


def _differing(then: Mapping[str, Any], now: Mapping[str, Any], within: str = "") -> list[str]:
    """Every key whose value is another now, by its path."""
    told = []
    for key in dict.fromkeys([*then, *now]):
        before, after = then.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            told += _differing(before, after, f"{within}{key}.")
        elif before != after:
            told.append(f"{within}{key} was {before!r} and is {after!r}")
    return told

"""Where a run stands after every epoch, as a file, so that one that was cut off can go on."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import torch
from pydantic import ValidationError

from tocsin_training.errors import TrainingError
from tocsin_training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

_DAMAGED = (
    *(OSError, EOFError, BadZipFile, zlib.error),
    *(RuntimeError, TypeError, ValueError, AttributeError, LookupError),
)
WORDS = {"summary", "sources"}  # of a recipe: what the bundle says of itself, and no weight depends on


def folder(runs: Path, recipe: Recipe) -> Path:
    """Where a recipe's checkpoints lie."""
    return runs / f"{recipe.name}-{recipe.version}-{recipe.training.seed}"


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
    then, now = (one.model_dump(mode="json", exclude=WORDS) for one in (made_by, recipe))
    differ = _differing(then, now)
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
    except UnpicklingError as error:
        raise _unreadable(checkpoint, "something else is in it") from error
    except KeyError as error:
        raise _unreadable(checkpoint, f"it lacks {error}") from error
    except ValidationError as error:
        raise _unreadable(checkpoint, "its recipe has other keys") from error
    except _DAMAGED as error:
        told = str(error).partition("\n")[0].rstrip(":")
        raise _unreadable(checkpoint, told or "it ends too soon") from error


def _unreadable(checkpoint: Path, told: str) -> TrainingError:
    return TrainingError(
        f"checkpoint {checkpoint} cannot be read ({told}): it is damaged, or another version wrote it; "
        "train without --resume"
    )


def _differing(then: object, now: object, path: str = "") -> list[str]:
    """Every key whose value is another now, by its path."""
    if isinstance(then, dict) and isinstance(now, dict):
        pairs = [(str(key), then.get(key), now.get(key)) for key in dict.fromkeys([*then, *now])]
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = [(str(number), *both) for number, both in enumerate(zip(then, now, strict=True))]
    else:
        return [] if then == now else [f"{path} was {then!r:.200} and is {now!r:.200}"]
    return [told for key, old, new in pairs for told in _differing(old, new, f"{path}.{key}".lstrip("."))]


def rng_state(rng: np.random.Generator, device: torch.device) -> dict[str, Any]:
    """Of the order of streams, of PyTorch on the CPU, and of the device, which draws its own dropout."""
    kept = {"numpy": rng.bit_generator.state, "torch": torch.get_rng_state()}
    if device.type != "cpu":
        kept["device"] = torch.get_device_module(device).get_rng_state(device)
    return kept


def restore_rng(kept: dict[str, Any], rng: np.random.Generator, device: torch.device) -> None:
    """Put them back; a run that goes on elsewhere than it began leaves the new device's as it is."""
    rng.bit_generator.state = kept["numpy"]
    torch.set_rng_state(kept["torch"])
    if device.type != "cpu" and "device" in kept:
        torch.get_device_module(device).set_rng_state(kept["device"], device)

"""Checkpoints: the state of a training run after every epoch, as a file to resume from."""

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
FORMAT = 2  # of the content; a checkpoint of another format is refused
DESCRIPTIVE = {"summary", "sources"}  # keys of a recipe that no weight depends on


def folder(runs: Path, recipe: Recipe) -> Path:
    """Folder of a recipe's checkpoints: `NAME-VERSION-SEED`."""
    return runs / f"{recipe.name}-{recipe.version}-{recipe.training.seed}"


def save(checkpoint: Path, **content: object) -> None:
    """Replace the checkpoint atomically: a run killed while writing leaves the previous one."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    fresh = checkpoint.with_suffix(".new")
    torch.save({"format": FORMAT, **content}, fresh)
    fresh.replace(checkpoint)


def load(checkpoint: Path, recipe: Recipe, seed: int, data_digest: str) -> dict[str, Any]:
    """Read a checkpoint of this recipe, member and data.

    Args:
        checkpoint: The file.
        recipe: The recipe that must have written it.
        seed: Of the member.
        data_digest: Of training and validation streams.

    Raises:
        TrainingError: It cannot be read, or belongs to another recipe, member or data.
    """
    with reading(checkpoint):
        with ZipFile(checkpoint) as archive:  # PyTorch checks no checksum
            if (part := archive.testzip()) is not None:
                raise BadZipFile(f"{part} is not what was written")
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True, map_location="cpu")
        if state["format"] != FORMAT:
            raise ValueError(f"its format is {state['format']}, not {FORMAT}")
        made_by, its_seed = Recipe.model_validate_json(state["recipe"]), state["seed"]
    then, now = (one.model_dump(mode="json", exclude=DESCRIPTIVE) for one in (made_by, recipe))
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
    if state["data_digest"] != data_digest:
        raise TrainingError(
            f"checkpoint {checkpoint}: made on other records than those that {recipe.data.source} gives now; "
            "train without --resume, or put the records back as they were"
        )
    return state


@contextmanager
def reading(checkpoint: Path) -> Iterator[None]:
    """Report every way in which a file is no checkpoint as the same `TrainingError`."""
    try:
        yield
    except UnpicklingError as error:
        raise _unreadable(checkpoint, "something else is in it") from error
    except KeyError as error:
        raise _unreadable(checkpoint, f"it lacks {error}") from error
    except ValidationError as error:
        raise _unreadable(checkpoint, "its recipe has other keys") from error
    except _DAMAGED as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise _unreadable(checkpoint, reason or "it ends too soon") from error


def _unreadable(checkpoint: Path, reason: str) -> TrainingError:
    return TrainingError(
        f"checkpoint {checkpoint} cannot be read ({reason}): it is damaged, or another version wrote it; "
        "train without --resume"
    )


def _differing(then: object, now: object, path: str = "") -> list[str]:
    """Keys whose value has changed, by path, with both values."""
    if isinstance(then, dict) and isinstance(now, dict):
        pairs = [(str(key), then.get(key), now.get(key)) for key in dict.fromkeys([*then, *now])]
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = [(str(number), *both) for number, both in enumerate(zip(then, now, strict=True))]
    else:
        return [] if then == now else [f"{path} was {then!r:.200} and is {now!r:.200}"]
    return [change for key, old, new in pairs for change in _differing(old, new, f"{path}.{key}".lstrip("."))]


def rng_state(rng: np.random.Generator, device: torch.device) -> dict[str, Any]:
    """State of the random generators: NumPy, PyTorch on the CPU, and the device's, which draws its own dropout."""
    state = {"numpy": rng.bit_generator.state, "torch": torch.get_rng_state()}
    if device.type != "cpu":
        state["device"] = torch.get_device_module(device).get_rng_state(device)
    return state


def restore_rng(state: dict[str, Any], rng: np.random.Generator, device: torch.device) -> None:
    """Restore the random generators; on another device than before, that device's keeps its state."""
    rng.bit_generator.state = state["numpy"]
    torch.set_rng_state(state["torch"])
    if device.type != "cpu" and "device" in state:
        torch.get_device_module(device).set_rng_state(state["device"], device)

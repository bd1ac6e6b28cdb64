"""Bundle folders: graph, manifest, recipe and card."""

from __future__ import annotations

import hashlib
from io import StringIO
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from tocsin.engine.model import Task

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.bundle.manifest import Manifest

CARD = """\
# {name} {version}

{summary}

| | |
|---|---|
| task | {task} |
| cell | {cell}, {state_size} floats of state a stream |
| period | {period_s:g} s |
| threshold | {threshold:g} ({chosen_by}) |
| graph | sha256 `{sha256}` |

## Channels

| channel | unit | plausible | kind | holds a frame open |
|---|---|---|---|---|
{channels}

## Training data

{sources}

## Measured

{figures}

Made again by `tocsin train` with `recipe.yaml`, which lies beside this card.
{notes}"""
_BEFORE_NOTES = "lies beside this card.\n"


def write(
    out: Path,
    manifest: Manifest,
    graph: bytes,
    recipe: Path,
    init: bytes | None = None,
    seed: int | None = None,
) -> Path:
    """Write `out/NAME/VERSION/`, with `init.onnx` if there is one; returns that folder.

    A `seed` given in place of the recipe's is written into the recipe of the bundle, which then makes the same bundle
    and splits streams in the same way. The recipe may be the one in that folder.
    """
    recipe_text = _recipe(recipe, seed)
    folder = out / manifest.name / manifest.version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph)
    if init is not None:
        (folder / "init.onnx").write_bytes(init)
    (folder / "recipe.yaml").write_text(recipe_text, encoding="utf-8")
    describe(folder, manifest)
    return folder


def replaces(out: Path, manifest: Manifest) -> bool:
    """Whether a bundle of this name and version exists with another graph."""
    graph = out / manifest.name / manifest.version / "model.onnx"
    return graph.is_file() and hashlib.sha256(graph.read_bytes()).hexdigest() != manifest.sha256


def _recipe(path: Path, seed: int | None) -> str:
    text = path.read_text(encoding="utf-8")
    if seed is None:
        return text
    yaml = YAML()  # keeps comments
    content = yaml.load(text)
    content.setdefault("training", {})["seed"] = seed
    changed = StringIO()
    yaml.dump(content, changed)
    return changed.getvalue()


def describe(folder: Path, manifest: Manifest, notes: str | None = None) -> None:
    """Write manifest and card; notes below the card's figures stay if none are given."""
    if notes is None:
        notes = notes_of(folder)
    (folder / "manifest.json").write_text(
        manifest.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8"
    )
    (folder / "CARD.md").write_text(card(manifest, notes), encoding="utf-8")


def notes_of(folder: Path) -> str:
    """Notes of a bundle's card: the text below what comes from its manifest."""
    written = folder / "CARD.md"
    return written.read_text(encoding="utf-8").partition(_BEFORE_NOTES)[2] if written.exists() else ""


def card(manifest: Manifest, notes: str = "") -> str:
    """Model card, Markdown."""
    task = str(manifest.task)
    if manifest.task is Task.ALARM and manifest.horizon_s:
        task += f", the event within {manifest.horizon_s:g} s"
    if manifest.classes:
        task += f": {', '.join(manifest.classes)}"
    if manifest.horizon_ticks:
        task += f", {manifest.horizon_ticks} ticks ahead"
    if manifest.profile:
        task += f", from {', '.join(manifest.profile)}"
    return CARD.format(
        **manifest.model_dump(include={"name", "version", "summary", "cell", "state_size", "period_s", "sha256"}),
        task=task,
        threshold=manifest.calibration.threshold,
        chosen_by=manifest.calibration.chosen_by,
        channels="\n".join(
            f"| {channel.name} | {channel.unit} | {channel.low:g} to {channel.high:g} | {channel.kind} "
            f"| {'yes' if channel.expected else 'no'} |"
            for channel in manifest.channels
        ),
        sources="\n".join(
            f"- {source.name} ({source.licence}): {source.part}. {source.citation}" for source in manifest.training
        ),
        figures="\n".join(
            ["| | |", "|---|---|", *(f"| {name} | {value:g} |" for name, value in manifest.figures.items())]
        ),
        notes=f"\n{notes.strip()}\n" if notes else "",
    )

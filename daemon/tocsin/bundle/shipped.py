"""Folders of bundles: the shipped ones, and lookup of a bundle by its name in the configuration."""

from __future__ import annotations

from pathlib import Path

import tocsin

_MANIFEST = "manifest.json"


def shipped_folder() -> Path:
    """Folder of the shipped bundles: inside an installed package, or next to it in a checkout."""
    package = Path(tocsin.__file__).resolve().parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parents[1] / "models"


def shipped_names() -> list[str]:
    """Names of the shipped bundles, NAME/VERSION, in alphabetical order."""
    folders = [file.parent for file in shipped_folder().glob(f"*/*/{_MANIFEST}")]
    return sorted(f"{folder.parent.name}/{folder.name}" for folder in folders)


def bundle_folder(model: str, base: Path) -> Path | None:
    """Find the folder of a bundle; None if there is none.

    Args:
        model: Path of a folder, relative to `base` or absolute, or NAME/VERSION of a shipped bundle.
        base: Folder of the configuration.
    """
    for folder in (base / model, shipped_folder() / model):
        if (folder / _MANIFEST).is_file():
            return folder
    return None

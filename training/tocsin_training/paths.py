"""Paths that a command writes to, checked before work that may take hours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path


def check_folder(option: str, folder: Path) -> None:
    """Refuse a folder that cannot be created or written to.

    Raises:
        TrainingError: Names the option, the folder and the reason.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
        why = "is no folder" if not there.is_dir() else None if os.access(there, os.W_OK) else "may not be written to"
    except OSError as error:
        there, why = folder, f"cannot be used: {error.strerror}"
    if why is not None:
        raise TrainingError(f"{option} {folder}: {there} {why}; give another place")


def check_file(option: str, file: Path, otherwise: str) -> None:
    """Refuse a file that cannot be written; `otherwise` is a name to suggest if it is a folder.

    Raises:
        TrainingError: Names the option, the file and the reason.
    """
    if file.is_dir():
        raise TrainingError(f"{option} {file} is a folder; give a file, such as {file / otherwise}")
    if not os.access(file, os.W_OK):  # it is not there, mostly
        check_folder(option, file.parent)

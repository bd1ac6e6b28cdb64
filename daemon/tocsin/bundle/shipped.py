"""Where the bundles that come with Tocsin lie."""

from __future__ import annotations

from pathlib import Path

import tocsin


def shipped_folder() -> Path:
    """Find the folder of the shipped bundles: inside an installed package, or beside it in a checkout."""
    package = Path(tocsin.__file__).resolve().parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parents[1] / "models"

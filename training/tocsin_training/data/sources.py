"""Finding a data source by the name that a recipe gives it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin_training.sequences import Request, Sequences


def find(name: str) -> Callable[[Request], Sequences]:
    """The function that `module:function` names.

    Raises:
        TrainingError: There is none.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise TrainingError(f"data.source {name!r} is no module:function")
    try:
        found: Callable[[Request], Sequences] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise TrainingError(
            f"data.source {name!r} cannot be found ({error}); give module:function of an installed package"
        ) from error
    if not callable(found):
        raise TrainingError(f"data.source {name!r} is no function; give module:function")
    return found

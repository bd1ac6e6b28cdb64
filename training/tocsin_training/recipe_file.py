"""Recipe files: YAML read, checked by schema and task, with the line of each fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError

from tocsin_training.errors import TrainingError, described
from tocsin_training.recipe import Recipe
from tocsin_training.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

RENAMED_KEYS = {
    "beside": "tree_ensemble, with `trainer` in place of `trees` and `ensembles_per_fold` in place of `each`",
    "data.curve_on": "data.curve_part",
    "horizon.every": "horizon.anchor_stride",
    "loss.following": "loss.forecast",
    "network.expects": "network.forecast_target",
    "network.head": "network.distribution",
    "network.memory": "network.channel_features, with age for ages, rate for pace and envelope for tide",
    "network.scale": "network.normalisation",
    "network.spread": "network.forecast_scale",
    "network.stir": "network.deviation_epsilon",
    "training.forget_reading": "training.reading_dropout",
    "training.forget_static": "training.static_dropout",
    "training.turns": "training.negative_subsampling",
}
"""Keys of recipes before they were renamed → the present key."""


class _TimesAsText(SafeConstructor):
    """Leaves timestamps as text: data sources parse them as they parse a table's."""


_TimesAsText.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def read(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        TrainingError: The file is absent, not YAML or not a valid recipe; names lines, keys and values.
    """
    yaml = YAML(typ="safe")
    yaml.Constructor = _TimesAsText
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text)
    except OSError as error:
        raise TrainingError(f"recipe {path}: {error.strerror}; give the path of a YAML file") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"recipe {path}: not YAML: {' '.join(str(error).split())}; fix the file") from error
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise TrainingError(_report(path, [_line(fault, text) for fault in faults])) from error
    if (fault := registry.recipe_fault(recipe)) is not None:
        raise TrainingError(_report(path, [f"  recipe: {fault}"]))
    return recipe


def _report(path: Path, lines: list[str]) -> str:
    remedy = "  fix these lines; `tocsin_training/recipe.py` lists every key"
    return "\n".join([f"recipe {path} is not valid:", *lines, remedy])


def _line(fault: ErrorDetails, text: str) -> str:
    """One line of the report: line of the file, key and what is wrong with it."""
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden" and key in RENAMED_KEYS:
        problem = f"was renamed to {RENAMED_KEYS[key]}"
    else:
        problem = described(fault)
    line = _line_number(YAML(typ="rt").load(text), fault["loc"])
    return f"  {f'line {line}: ' if line else ''}{key or 'recipe'}: {problem}"


def _line_number(node: Any, location: Sequence[str | int]) -> int | None:  # noqa: ANN401  (YAML is anything)
    """Line of the deepest key of a location that stands in the file, counted from 1; None for the whole file."""
    line = None
    for part in location:
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
        else:
            break
        node = node[part]
    return line

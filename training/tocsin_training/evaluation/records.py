"""Selection of the records to evaluate on, and of those to fit baselines on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from glob import escape
from typing import TYPE_CHECKING

import numpy as np

from tocsin_training import recipe_file
from tocsin_training.data import sources, tables
from tocsin_training.data.dataset import DataRequest
from tocsin_training.data.sources import find
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tocsin.bundle import Bundle
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import Recipe

TABLES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class RecordSelection:
    """Location and part of records.

    Attributes:
        data: A folder, for a recipe's data source; or a table.
        part: Of the source: `train`, `valid` or `test`.
        source: `module:function` in place of the recipe's.
        train: A table to fit baselines on, in place of the source's part `train`.
        columns: A table's options: stream, time, unit, label, kind, channels; see `docs/data.md`.
        runs: Folder of converted tables.
        streams: Number of streams to evaluate on, drawn by `seed`; None for all.
        seed: Of that draw.
    """

    data: Path
    part: str
    source: str | None
    train: Path | None
    columns: Mapping[str, object]
    runs: Path
    streams: int | None
    seed: int

    def check(self) -> None:
        """Check that options of tables are given with a table only.

        Raises:
            TrainingError: Naming the option.
        """
        if self.data.suffix.lower() in TABLES or self.train is not None:
            return
        of_tables = [f"--{name}" for name in ("stream", "label", "kind", "channels") if self.columns.get(name)]
        if of_tables:
            raise TrainingError(
                f"{', '.join(of_tables)}: of a table, and --data {self.data} is none; name one, such as "
                "records.parquet, or leave them out"
            )


def ticking(bundle: Bundle, period_s: float) -> Bundle:
    """A bundle of any period, with ticks of this length."""
    manifest = bundle.manifest
    if not manifest.any_period:
        raise TrainingError(
            f"{manifest.name}/{manifest.version} was made for ticks of {manifest.period_s:g} s alone; "
            "leave --period out"
        )
    if not 0 < period_s < np.inf:
        raise TrainingError(f"--period {period_s:g}: a tick takes some time; give seconds, more than 0")
    return replace(bundle.ticking(period_s), manifest=manifest.model_copy(update={"period_s": period_s}))


def recipe_of(bundle: Bundle) -> Recipe | None:
    """Recipe in the bundle's folder, or None."""
    path = bundle.folder / "recipe.yaml"
    return recipe_file.read(path) if path.exists() else None


def evaluation_data(selection: RecordSelection, bundle: Bundle, recipe: Recipe | None) -> tuple[StreamDataset, str]:
    """Records to evaluate on, and their description."""
    data, about = _all(selection, bundle, recipe)
    if selection.streams is None or selection.streams >= len(data):
        return data, about
    drawn = np.random.default_rng(selection.seed).choice(len(data), selection.streams, replace=False)
    return data.pick(np.sort(drawn)), f"{about}, {selection.streams} of {len(data)} streams drawn at random"


def _all(selection: RecordSelection, bundle: Bundle, recipe: Recipe | None) -> tuple[StreamDataset, str]:
    if selection.data.suffix.lower() in TABLES:
        return labelled_by_class(_table(selection.data, selection, bundle)), f"the table {selection.data.name}"
    if recipe is None:
        raise TrainingError(
            f"{bundle.folder} has no recipe.yaml that says where records come from; name a table by --data"
        )
    if selection.source:
        _check_source(selection.source)
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"source": selection.source})})
    data = labelled_by_class(sources.read(recipe, selection.part, selection.data, selection.runs))
    return data, f"{recipe.data.source}, part {selection.part}"


def _check_source(name: str) -> None:
    try:
        find(name)
    except TrainingError as error:
        raise TrainingError(f"--source {str(error).removeprefix('data.source ')}") from error


def baseline_data(
    selection: RecordSelection, bundle: Bundle, recipe: Recipe | None
) -> tuple[StreamDataset | None, StreamDataset | None]:
    """Records to fit baselines on and those to choose their thresholds on, or None."""
    if selection.train is not None:
        return labelled_by_class(_table(selection.train, selection, bundle)), None
    if recipe is None or selection.data.suffix.lower() in TABLES:
        return None, None
    train, valid = (
        labelled_by_class(sources.read(recipe, part, selection.data, selection.runs)) for part in ("train", "valid")
    )
    return train, valid


def labelled_by_class(data: StreamDataset) -> StreamDataset:
    """Where streams have classes and rows no labels, label streams of all classes but the first as events."""
    if data.kind is None or data.label is not None:
        return data
    return replace(data, label=np.repeat((data.kind > 0).astype(np.float32), data.lengths))


def _table(path: Path, selection: RecordSelection, bundle: Bundle) -> StreamDataset:
    """All rows of a table."""
    manifest = bundle.manifest
    options = {"files": escape(path.name), "split": {"by": "stream"}} | dict(selection.columns)
    return tables.table(
        DataRequest(
            part="train",  # the share of streams that no other part takes: all of them
            folder=path.parent,
            channels=manifest.channels,
            period_s=manifest.period_s,
            delta_cap_s=manifest.delta_cap_s,
            seed=0,
            options=options,
            runs=selection.runs,
            classes=manifest.classes if selection.columns.get("kind") else None,
        )
    )

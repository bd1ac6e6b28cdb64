"""Put the curve of false alarms into a bundle: the manifest and the card are written anew, the graph stays.

With a curve it can be told how long the model warms up, so that is measured, too, unless it has been.

python -m tocsin_training.recalibrate models/ward-vitals/1
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.bundle import load
from tocsin.engine.model import Task
from tocsin_training import recipe as recipes
from tocsin_training.calibration import false_alarm_curve, warm_up
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError
from tocsin_training.export import bundle_folder

if TYPE_CHECKING:
    from tocsin.bundle.calibration import Curve
    from tocsin_training.data.dataset import Sequences
    from tocsin_training.recipe import Recipe


def to_count(recipe: Recipe, data: Path, runs: Path) -> Sequences | None:
    """The part that the recipe names for the curve; None of a task that rings nothing."""
    return None if recipe.task is Task.GENERATE else read(recipe, recipe.data.curve_on, data, runs)


def recalibrate(folder: Path, recipe: Recipe, counted: Sequences | None) -> Curve | None:
    """Count onsets through the daemon's engine, and write them down.

    Args:
        folder: The bundle's.
        recipe: It was made from.
        counted: Streams as `to_count` gives them; on those that are normal onsets are false.

    Returns:
        None if there is no curve: the task rings nothing, no stream is normal, or too few onsets were seen.
    """
    bundle = load(folder)
    manifest = bundle.manifest
    streams = None if counted is None else false_alarm_curve.normal(counted)
    made = None
    if streams is not None:
        which = f"normal streams of part {recipe.data.curve_on} ({', '.join(source.name for source in recipe.sources)})"
        seen, probability = false_alarm_curve.scored(bundle.model, streams), manifest.calibration.scale == "probability"
        made = false_alarm_curve.curve(seen, recipe.serving.curve_delays_ticks, which, probability=probability)
    calibration = manifest.calibration.model_copy(update={"curve": made})
    bundle_folder.describe(folder, manifest.model_copy(update={"calibration": calibration}))
    if made is not None and streams is not None:
        warm_up.glance(folder, streams)
    return made


def main(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Such as models/ward-vitals/1.")],
    data: Annotated[Path, typer.Option(help="Where the records lie.")] = Path("../shared/data"),
    runs: Annotated[Path, typer.Option(help="Where converted tables go.")] = Path("runs"),
) -> None:
    """Put the curve of false alarms into a bundle."""
    try:
        recipe = recipes.read(bundle / "recipe.yaml")
        made = recalibrate(bundle, recipe, to_count(recipe, data, runs))
    except TrainingError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(2)
    if made is None:
        typer.echo(f"{bundle}: too few onsets on normal streams for a curve")
        return
    for rates in made.rates:
        beyond = f", tail of {rates.tail.peaks} peaks, shape {rates.tail.shape:.2f}" if rates.tail else ""
        typer.echo(
            f"delays of {rates.on_delay_ticks} and {rates.off_delay_ticks} ticks: {rates.per_day[0]:.3g} to "
            f"{rates.rarest:.3g} onsets a stream-day counted{beyond}"
        )
    typer.echo(f"wrote {bundle / 'manifest.json'}: {made.stream_days:.4g} stream-days of {made.streams} streams")


if __name__ == "__main__":
    typer.run(main)

"""False-alarm curve of a bundle as a command: `python -m tocsin_training.recalibrate models/ward-vitals/1`.

Manifest and card are written anew, the graph stays. The warm-up is measured too, unless the manifest has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.bundle import load
from tocsin_training import recipe_file
from tocsin_training.calibration import false_alarm_curve, warm_up
from tocsin_training.data.sources import read
from tocsin_training.errors import TrainingError, leave
from tocsin_training.export import bundle_folder
from tocsin_training.tasks import registry

if TYPE_CHECKING:
    from tocsin.bundle.calibration import Curve
    from tocsin_training.data.dataset import StreamDataset
    from tocsin_training.recipe import Recipe


def curve_data(recipe: Recipe, data: Path, runs: Path) -> StreamDataset | None:
    """Part of the data that the recipe names for the curve; None if the task raises no alarms."""
    return read(recipe, recipe.data.curve_part, data, runs) if registry.task_of(recipe).raises_alarms else None


def recalibrate(folder: Path, recipe: Recipe, counted: StreamDataset | None) -> Curve | None:
    """Count onsets through the daemon's engine, and write the curve into manifest and card.

    Args:
        folder: Of the bundle.
        recipe: That made it.
        counted: From `curve_data`; onsets on its normal streams are false alarms.

    Returns:
        The curve; None if the task raises no alarms, no stream is normal, or onsets are too few.
    """
    bundle = load(folder)
    manifest = bundle.manifest
    streams = None if counted is None else false_alarm_curve.normal_streams(counted)
    made = None
    if streams is not None:
        which = (
            f"normal streams of part {recipe.data.curve_part} ({', '.join(source.name for source in recipe.sources)})"
        )
        seen, probability = (
            false_alarm_curve.engine_scores(bundle.model, streams),
            manifest.calibration.scale == "probability",
        )
        made = false_alarm_curve.false_alarm_curve(
            seen, recipe.serving.curve_delays_ticks, which, probability=probability
        )
    calibration = manifest.calibration.model_copy(update={"curve": made})
    bundle_folder.describe(folder, manifest.model_copy(update={"calibration": calibration}))
    if made is not None and streams is not None:
        warm_up.estimate(folder, streams)
    return made


def main(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Such as models/ward-vitals/1.")],
    data: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("../shared/data"),
    runs: Annotated[Path, typer.Option(help="Folder of converted tables.")] = Path("runs"),
) -> None:
    """Write the false-alarm curve into a bundle."""
    try:
        recipe = recipe_file.read(bundle / "recipe.yaml")
        made = recalibrate(bundle, recipe, curve_data(recipe, data, runs))
    except TrainingError as error:
        leave(error)
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

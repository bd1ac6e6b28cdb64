"""`tocsin evaluate` and `tocsin report`."""

from __future__ import annotations

import csv
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tocsin_training.errors import TrainingError, leave

if TYPE_CHECKING:
    from tocsin.bundle import Bundle
    from tocsin_training.evaluation.alarm_setup import AlarmSetup
    from tocsin_training.recipe import Recipe

WIDTH = 140  # of tables that no terminal limits
LONGEST_DELAY_S = 365 * 86_400.0


def evaluate(
    bundle: Annotated[
        str,
        typer.Argument(metavar="BUNDLE", help="Its folder, or NAME/VERSION of a shipped one, such as icu-hourly/1."),
    ],
    *,
    data: Annotated[
        Path,
        typer.Option(
            help="Folder with the records that the bundle's recipe reads; or a table, of which all rows are used."
        ),
    ] = Path("../shared/data"),
    part: Annotated[str, typer.Option(help="Part of the recipe's source: train, valid or test.")] = "test",
    source: Annotated[
        str | None, typer.Option(metavar="MODULE:FUNCTION", help="Source of records in place of the recipe's.")
    ] = None,
    streams: Annotated[
        int | None,
        typer.Option(min=2, help="Number of streams to evaluate on, drawn at random; all if left out."),
    ] = None,
    out: Annotated[Path, typer.Option(help="File of the result, for `tocsin report`.")] = Path("evaluation.json"),
    config: Annotated[
        Path | None, typer.Option(help="Raise the alarms of a watch in this configuration, limits and all.")
    ] = None,
    watch: Annotated[
        str | None, typer.Option(help="Watch of the configuration; needed where several run the bundle.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Threshold of the score, in place of the bundle's.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0, help="False alarms a stream-day, in place of a threshold: the bundle's curve gives it."),
    ] = None,
    on_delay: Annotated[
        float | None,
        typer.Option(
            min=0, max=LONGEST_DELAY_S, help="On-delay in seconds; that which the threshold was chosen for if left out."
        ),
    ] = None,
    off_delay: Annotated[float, typer.Option(min=0, max=LONGEST_DELAY_S, help="Off-delay in seconds.")] = 0.0,
    period: Annotated[
        float | None, typer.Option(help="Seconds of a tick, for a bundle of any period; its own if left out.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="A table's column that names the stream.")] = None,
    time: Annotated[str, typer.Option(help="A table's column with the time.")] = "t",
    unit: Annotated[Literal["ns", "us", "ms", "s", "min", "h"], typer.Option(help="Unit of its numbers.")] = "s",
    label: Annotated[str | None, typer.Option(help="A table's column with 1 in events and 0 elsewhere.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="A table's column with the class of the row's stream, in place of --label.")
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            help="CHANNEL=COLUMN, by commas, in quotes where a name has one, where a table's columns have other names."
        ),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="A table of the same form to fit the baselines on.")] = None,
    baselines: Annotated[bool, typer.Option(help="Compare with baselines.")] = True,
    windows: Annotated[bool, typer.Option(help="Events are windows: give the score of the NAB benchmark too.")] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed of the bootstrap and the random baselines.")
    ] = 0,
) -> None:
    """Evaluate a bundle on labelled records, next to baselines.

    The daemon's own engine runs over the records, so the alarms counted are those that it would raise. Writes the
    result as JSON and prints the tables; `tocsin report` makes a page of it.
    """
    command = shlex.join(["tocsin", *sys.argv[1:]])
    columns: dict[str, object] = {"stream": stream, "time": time, "unit": unit, "label": label, "kind": kind}
    if channels is not None:
        columns["channels"] = _pairs(channels)
    try:
        from rich.console import Console  # noqa: PLC0415  (`tocsin --help` need not wait for any of these)

        from tocsin.bundle import BundleError, bundle_folder, load  # noqa: PLC0415
        from tocsin_training.errors import TrainingError  # noqa: PLC0415
        from tocsin_training.evaluation import evaluator as evaluation  # noqa: PLC0415
        from tocsin_training.evaluation import records, tables  # noqa: PLC0415
        from tocsin_training.paths import check_file  # noqa: PLC0415
    except ModuleNotFoundError as error:
        leave(f"an evaluation needs {error.name}, which is not installed", "pip install 'tocsin[training]'")
    folder = bundle_folder(bundle, Path.cwd())
    if folder is None:
        leave(f"no bundle {bundle!r}", "give a folder with a manifest.json, or a shipped one's NAME/VERSION")
    console = Console(stderr=True)
    asked = records.RecordSelection(data, part, source, train, columns, Path("runs"), streams, seed)
    try:
        check_file("--out", out, "evaluation.json")
        asked.check()
        loaded = load(folder) if period is None else records.ticking(load(folder), period)
        recipe = records.recipe_of(loaded)
        alarm_setup = _setup(loaded, recipe, config, watch, threshold, budget, on_delay, off_delay)
        with console.status("reading records") as status:
            judged, about = records.evaluation_data(asked, loaded, recipe)
            fitting, valid = records.baseline_data(asked, loaded, recipe) if baselines else (None, None)
            job = evaluation.EvaluationJob(
                loaded, alarm_setup, judged, about, fitting, valid, baselines, windows, command, seed
            )
            result = evaluation.evaluate(job, status.update if console.is_terminal else console.print)
    except (TrainingError, BundleError) as error:
        leave(str(error))
    tables.show(result, Console() if sys.stdout.isatty() else Console(width=WIDTH))
    _write(out, result.model_dump_json() + "\n")
    typer.echo(f"wrote {out}; `tocsin report {out}` makes a page of it")


def _pairs(channels: str) -> dict[str, str]:
    columns: dict[str, str] = {}
    for pair in next(csv.reader([" ".join(channels.splitlines())], skipinitialspace=True), [channels]):
        channel, _, column = (part.strip() for part in pair.partition("="))
        if not channel or not column:
            remedy = "write CHANNEL=COLUMN, by commas, such as hr=HR,spo2=O2Sat; in quotes where a name has a comma"
            leave(f"--channels: {pair!r} is no CHANNEL=COLUMN", remedy)
        if channel in columns:
            leave(f"--channels: {channel} is {columns[channel]!r} and {column!r}", "name each channel once")
        columns[channel] = column
    return columns


def _setup(
    bundle: Bundle,
    recipe: Recipe | None,
    config: Path | None,
    watch: str | None,
    threshold: float | None,
    budget: float | None,
    on_delay: float | None,
    off_delay: float,
) -> AlarmSetup:
    from tocsin_training.backtest.onsets import Delays  # noqa: PLC0415
    from tocsin_training.evaluation import alarm_setup  # noqa: PLC0415

    if config is not None:
        if any(given is not None for given in (threshold, budget, on_delay)) or off_delay:
            raise TrainingError("--config brings its own threshold and delays; leave the options for them out")
        return alarm_setup.configured(bundle, config, watch)
    if watch is not None:
        raise TrainingError(f"--watch {watch} is of a configuration; name that by --config")
    if threshold is not None and budget is not None:
        raise TrainingError("--threshold and --budget exclude each other; give one")
    if on_delay is None:
        on_delay = recipe.serving.on_delay_ticks * bundle.manifest.period_s if recipe else 0.0
    delays = Delays(on_delay, off_delay)
    if threshold is not None:
        return alarm_setup.by_hand(bundle, threshold, delays)
    if budget is not None:
        chosen = f"a budget of {budget:g} false alarms a stream-day, by the bundle's curve"
        return alarm_setup.alone(bundle, alarm_setup.of_budget(bundle, budget, delays), chosen, delays)
    calibration = bundle.manifest.calibration
    return alarm_setup.alone(bundle, calibration.threshold, f"the bundle's own: {calibration.chosen_by}", delays)


def report(
    results: Annotated[list[Path], typer.Argument(metavar="RESULT...", help="Output of `tocsin evaluate`.")],
    *,
    out: Annotated[Path, typer.Option(help="File of the page.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="Title of the page; the bundles' names if left out.")] = None,
) -> None:
    """Make one self-contained HTML page of one or more evaluations: tables, curves, excerpts of real series."""
    try:
        from tocsin_training.evaluation import report_page, result  # noqa: PLC0415
        from tocsin_training.paths import check_file  # noqa: PLC0415
    except ModuleNotFoundError as error:
        leave(f"a report needs {error.name}, which is not installed", "pip install 'tocsin[training]'")
    try:
        check_file("--out", out, "report.html")
        read = [result.read(path) for path in results]
    except TrainingError as error:
        leave(str(error))
    if any(out.resolve() == path.resolve() for path in results):
        leave(f"--out {out} is a result to report on", "give another file")
    _write(out, report_page.made(read, title))
    typer.echo(f"wrote {out}")


def _write(out: Path, text: str) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        leave(f"{out}: cannot be written: {error.strerror}", "give another place by --out")

"""`tocsin generate`: a table of streams drawn from a model, for `tocsin replay`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.bundle import BundleError, bundle_folder, load
from tocsin.bundle.generation import GenerationError
from tocsin.bundle.generation import generate as generated
from tocsin.cli.errors import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.bundle.generation import Generated


def generate(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A bundle's folder, or NAME/VERSION of a shipped one.")
    ],
    *,
    profile: Annotated[str, typer.Option(help="NAME=VALUE, by commas, such as rest_hr=72,rest_sbp=124.")],
    out: Annotated[Path, typer.Option(help="The table: Parquet or CSV, by its suffix.")],
    ticks: Annotated[int, typer.Option(min=1, help="Number of frames per stream.")] = 3600,
    streams: Annotated[int, typer.Option(min=1, help="Number of streams with this profile.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="A seed reproduces its table.")] = 1,
    start: Annotated[str, typer.Option(help="Start, ISO 8601.")] = "2026-01-01T00:00:00Z",
) -> None:
    """Draw streams from a model of task `generate` and write them as a table: stream, t, channels.

    Example, an hour of a patient with a frame every ten seconds, then its replay:

        tocsin generate ward-generator/1 --ticks 360 --profile rest_hr=72,rest_spo2=97,rest_rr=15,rest_sbp=124,rest_dbp=70,rest_temp=36.8 --out patient.parquet

        tocsin replay patient.parquet --topic 'vitals/ward/{stream}' --now
    """  # noqa: E501  (a command to copy is one line)
    try:
        from tocsin.recording import RecordingError, write  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure(f"tocsin generate needs {error.name}", "pip install 'tocsin[demo]'") from error
    folder = bundle_folder(bundle, Path.cwd())
    if folder is None:
        raise Failure(f"no bundle {bundle!r}", "give a folder with a manifest.json, or a shipped one's NAME/VERSION")
    try:
        loaded = load(folder)
        made = generated(loaded, _profile(profile), streams, ticks, seed)
    except (BundleError, GenerationError) as error:
        raise Failure(str(error)) from error
    try:
        write(out, _columns(made, loaded.manifest.period_s, _seconds(start)))
    except RecordingError as error:
        raise Failure(str(error)) from error
    typer.echo(f"wrote {out}: {streams} × {ticks} frames of {', '.join(made.channels)}")


def _profile(text: str) -> dict[str, float]:
    """Parse `rest_hr=72,rest_sbp=124`."""
    values: dict[str, float] = {}
    for entry in text.split(","):
        name, _, value = (part.strip() for part in entry.partition("="))
        try:
            number = float(value)
        except ValueError:
            name = ""
        if not name:
            raise Failure(f"profile: {entry.strip()!r} is no NAME=VALUE", "write rest_hr=72,rest_sbp=124")
        if name in values:
            raise Failure(f"profile: {name} is {values[name]:g} and {number:g}", "give each part once")
        values[name] = number
    return values


def _seconds(start: str) -> float:
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise Failure(f"start {start!r} is no ISO 8601 time", "write 2026-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise Failure(f"start {start!r} has no time zone", f"write {moment.isoformat()}Z for UTC")
    return moment.timestamp()


def _columns(made: Generated, period_s: float, start_s: float) -> dict[str, Sequence[Any]]:
    """One row a reading; `t` in seconds since 1970, integers where the period is one."""
    streams, ticks, _ = made.values.shape
    t: list[float] = [start_s + tick * period_s for tick in range(ticks)]
    if all(value.is_integer() for value in t):
        t = [int(value) for value in t]
    names = [f"generated-{number + 1}" for number in range(streams) for _ in range(ticks)]
    values = {name: made.values[:, :, c].reshape(-1) for c, name in enumerate(made.channels)}
    return {"stream": names, "t": t * streams, **values}

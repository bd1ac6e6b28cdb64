"""`tocsin explain`: make an alarm's score again from what its event carries, and draw what led to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.bundle import BundleError, load, shipped_folder
from tocsin.cli.failure import Failure
from tocsin.codec.reject import printable
from tocsin.codec.times import iso_8601
from tocsin.engine.changes import Frames
from tocsin.engine.recent import rescore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tocsin.bundle import Bundle
    from tocsin.engine.recent import Rescored

EXIT_DIFFERS = 3

_BARS = "▁▂▃▄▅▆▇█"
_BAND = 2.0  # scales around the mean
_SHOWN = 60
_SHOWN_CHARACTERS = 500
_CLOSE = 1e-4  # relative: other runtimes and processors round otherwise


class _Record(msgspec.Struct):
    """What is needed of an event; it may say more."""

    stream: str
    alarm: str
    reason: str
    t_ns: int
    score: float | None
    explanation: dict[str, Any]
    frames: Frames


def explain(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="An event as JSON, or lines of them, or an answer with events; - reads stdin."
        ),
    ],
    *,
    model: Annotated[
        Path | None, typer.Option(help="The bundle's folder, if it is not a shipped one.", show_default=False)
    ] = None,
    event: Annotated[
        int | None, typer.Option("--id", help="Which event, by its id; the last one that can be explained if left out.")
    ] = None,
) -> None:
    """Explain an alarm: step through its last frames again, compare the score, and draw them inside their bands.

    An event carries its frames where an alarm of a model's begins. Get one from the daemon or from the broker:

        tocsin alarms history --json --transition raise | tocsin explain -

        tocsin watch --json | head -1 | tocsin explain -

    Exit code 3 means that the score made again is another one.
    """
    record = _found(_read(file), event)
    bundle = _bundle(record, model)
    try:
        again = rescore(bundle.model, record.frames)
    except ValueError as error:
        raise Failure(str(error)) from error
    console = Console(highlight=False)
    _tell(console, record)
    console.print(_picture(record, again, bundle))
    if not _compare(console, record, float(again.score[-1])):
        raise typer.Exit(EXIT_DIFFERS)


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    """Every JSON object in the text: one document, or one a line; those in its `events` instead of an answer."""
    try:
        documents = [msgspec.json.decode(text)]
    except msgspec.DecodeError:
        documents = []
        for line in text.splitlines():
            if line.strip():
                try:
                    documents.append(msgspec.json.decode(line))
                except msgspec.DecodeError as error:
                    raise Failure(f"this is no JSON: {error}", "give an event as `history --json` prints it") from error
    for document in documents:
        for entry in document if isinstance(document, list) else [document]:
            if isinstance(entry, dict):
                yield from (one for one in entry.get("events", [entry]) if isinstance(one, dict))


def _found(text: bytes, event: int | None) -> _Record:
    entries = [entry for entry in _objects(text) if event is None or entry.get("id") == event]
    explained = [entry for entry in entries if entry.get("frames") is not None]
    if not explained:
        raise Failure(
            "no event here carries frames",
            "take the one that raised an alarm of a model's, from a watch whose explain_ticks is not 0",
        )
    newest = max(explained, key=lambda entry: entry.get("t_ns", 0))
    try:
        return msgspec.convert(newest, _Record)
    except msgspec.ValidationError as error:
        raise Failure(f"this is no event: {error}") from error


def _bundle(record: _Record, folder: Path | None) -> Bundle:
    name, sha256 = str(record.explanation.get("model")), record.explanation.get("sha256")
    folder = folder or shipped_folder() / name
    try:
        bundle = load(folder)
    except BundleError as error:
        raise Failure(str(error), f"--model FOLDER with the bundle {name}") from error
    if bundle.model.sha256 != sha256:
        raise Failure(
            f"{folder} has another graph: sha256 {bundle.model.sha256[:12]}…, the alarm's is {str(sha256)[:12]}…",
            f"--model FOLDER with the bundle {name} that rang",
        )
    return bundle


def _tell(console: Console, record: _Record) -> None:
    said = record.explanation
    console.print(
        Text(printable(f"{record.stream}/{record.alarm}  {iso_8601(record.t_ns)}", _SHOWN_CHARACTERS), style="bold")
    )
    console.print(Text(printable(record.reason, _SHOWN_CHARACTERS)))
    lines = [f"model {said.get('model')}, graph {str(said.get('sha256'))[:12]}"]
    if said.get("rising_since"):
        lines.append(f"score above half its threshold since {said['rising_since']}")
    lines.append(
        f"{said.get('frames_seen')} frames since the state was empty, {said.get('state_since')} "
        f"(warm-up: {said.get('warm_up_ticks')})"
    )
    if said.get("gap_ended"):
        lines.append(f"last gap: {said['gap_s']:g} s, until {said['gap_ended']}")
    if said.get("rewound"):
        lines.append(f"a late reading was put in at {said['rewound']}")
    for line in lines:
        console.print(Text(printable(line, _SHOWN_CHARACTERS), style="dim"))


def _picture(record: _Record, again: Rescored, bundle: Bundle) -> Table:
    """The last frames, a channel a row: a bar a frame, its last value, what was expected, what it added."""
    seconds = len(again.tick) * bundle.model.period_ns / 1e9
    table = Table(title=None, box=None, padding=(0, 1), header_style="dim")
    for name in ("", f"last {len(again.tick)} frames, {seconds:g} s", "value", "expected", "added"):
        table.add_column(name, justify="left" if not name or name.startswith("last") else "right", no_wrap=True)
    order = np.argsort(-np.nan_to_num(again.contribution[-1]), kind="stable")
    for c in order.tolist():
        channel = bundle.model.channels[c]
        seen = again.mask[:, c] != 0
        value = f"{again.x[-1, c]:.5g} {channel.unit}" if seen[-1] else "not measured"
        mean, scale = float(again.mean[-1, c]), float(again.scale[-1, c])
        expected = "" if np.isnan(mean) else f"{mean:.4g} ± {scale:.2g}"
        outside = seen & (np.abs(again.x[:, c] - again.mean[:, c]) > _BAND * again.scale[:, c])
        bars = _bars(np.where(seen, again.x[:, c], np.nan), outside)
        table.add_row(channel.name, bars, value, expected, f"{again.contribution[-1, c]:.3g}")
    threshold = record.explanation.get("threshold")
    ringing = np.zeros(len(again.score), dtype=np.bool_) if threshold is None else again.score >= threshold
    limit = "" if threshold is None else f"threshold {threshold:.3g}"
    table.add_row("score", _bars(again.score, ringing), f"{again.score[-1]:.5g}", limit, "", end_section=True)
    table.caption = (
        f"red: further than {_BAND:g} scales from what was expected; of the score: at or above its threshold"
    )
    table.caption_style = "dim"
    return table


def _bars(values: NDArray[np.floating], marked: NDArray[np.bool_]) -> Text:
    values, marked = values[-_SHOWN:].astype(np.float64), marked[-_SHOWN:]
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    bars = Text()
    for value, is_marked in zip(values.tolist(), marked.tolist(), strict=True):
        if np.isnan(value):
            bars.append("·", style="dim")
        else:
            level = 0.5 if high == low else (value - low) / (high - low)
            bars.append(_BARS[min(int(level * len(_BARS)), len(_BARS) - 1)], style="red" if is_marked else "")
    return bars


def _compare(console: Console, record: _Record, again: float) -> bool:
    """Say whether the score is the one that rang."""
    if record.score is None:
        console.print("the alarm had no score to compare with")
        return True
    if again == record.score:
        console.print(f"score {again!r}: made again to the bit")
        return True
    if np.isclose(again, record.score, rtol=_CLOSE, atol=0.0):
        console.print(
            f"score {again!r}, the alarm's was {record.score!r}: equal but for rounding, "
            "as on another runtime or processor"
        )
        return True
    console.print(
        Text(f"score {again!r}, but the alarm's was {record.score!r}: it could not be made again", style="red")
    )
    return False

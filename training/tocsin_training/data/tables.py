"""Tables as a recipe's data source: Parquet or CSV, of any size.

    data:
      source: tocsin_training.data.tables:table
      options:
        files: pumps/*.parquet
        stream: pump
        time: taken
        channels: {flow: "Volume flow", temp: T1}
        split: {by: stream, valid: 0.1, test: 0.2}

The table is read once, in pieces, and becomes three stores of sequences, one a part, under `runs/tables`; a later run
finds them there as long as neither the files nor the options have changed. Only one stream has to fit into memory.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin.engine.model import ChannelKind
from tocsin_training.data import options as given
from tocsin_training.data.columns import RowLocation, times
from tocsin_training.data.rows import chunks
from tocsin_training.data.splits import PARTS, ByStream, ByTime
from tocsin_training.data.spool import open_spool
from tocsin_training.data.store import StoreWriter, open_store
from tocsin_training.data.stream_classes import StreamClasses
from tocsin_training.data.ticks import check, record
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from tocsin_training.data.dataset import DataRequest, StreamDataset
    from tocsin_training.data.options import SplitOptions, TableOptions

_SOURCE = "tocsin_training.data.tables:table"
_FORMAT = 2  # of what is kept; another number makes it again


def table(request: DataRequest) -> StreamDataset:
    """One part of a table, mapped from disk; `docs/data.md` lists the options.

    Raises:
        TrainingError: Options or table are invalid; names the place.
    """
    if request.part not in PARTS:
        raise TrainingError(f"a table has no part {request.part!r}; ask for {' or '.join(PARTS)}")
    options = given.read(request.options, _SOURCE)
    unknown = sorted(set(options.channels) - {channel.name for channel in request.channels})
    if unknown:
        legal = ", ".join(channel.name for channel in request.channels)
        raise TrainingError(
            f"channels says where {', '.join(unknown)} stands, which the model doesn't take (it takes {legal})"
        )
    if (request.classes is None) != (options.kind is None):
        raise TrainingError(
            "task classify needs each stream's class: say by `kind` which column holds it"
            if options.kind is None
            else f"kind {options.kind!r} is for task classify alone; leave it out, or say which classes there are"
        )
    files = sorted(request.folder.glob(options.files))
    if not files:
        raise TrainingError(f"{request.folder / options.files}: no such file; look at its name, and at its folder")
    cached = request.runs / "tables" / _fingerprint(request, files)
    if not cached.exists():
        _convert(request, options, files, cached)
    data = open_store(cached / request.part, request.channels)
    if data is None:
        parts = {part: open_store(cached / part, request.channels) for part in PARTS}
        others = ", ".join(f"{part} has {len(streams)}" for part, streams in parts.items() if streams is not None)
        raise TrainingError(
            f"{request.folder / options.files}: part {request.part!r} has no streams ({others or 'none has'}); change "
            "data.options.split"
        )
    return data if options.label is not None else replace(data, label=None, gain=None)


def _fingerprint(request: DataRequest, files: list[Path]) -> str:
    """Hash of everything that the stores depend on."""
    content = {
        "format": _FORMAT,
        "options": dict(request.options),
        "seed": request.seed,
        "classes": request.classes,
        "channels": [channel.model_dump(mode="json") for channel in request.channels],
        "period_s": request.period_s,
        "delta_cap_s": request.delta_cap_s,
        "files": [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _convert(request: DataRequest, options: TableOptions, files: list[Path], cached: Path) -> None:
    """Write the stores of all parts beside their place, and move them there once they are complete."""
    cached.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{cached.name}-", dir=cached.parent))
    try:
        made = folder / "made"
        made.mkdir()  # others may read it, as they may not what is temporary
        _write(request, options, files, made)
        if not cached.exists():  # else another run was faster
            made.rename(cached)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(request: DataRequest, options: TableOptions, files: list[Path], folder: Path) -> None:
    long = options.layout == "long"
    channels = tuple(channel for channel in request.channels if channel.kind is not ChannelKind.CLOCK)
    columns = [options.channels.get(channel.name, channel.name) for channel in channels]
    split = _split(options.split, options.unit, request.seed)
    place = np.array([channel.kind is not ChannelKind.CLOCK for channel in request.channels])
    kinds = None if options.kind is None else StreamClasses(options.kind, request.classes or ())
    with ExitStack() as stack:
        spool = open_spool(folder, 1 if long else len(columns), stack)
        for number, file in enumerate(files):
            for piece in chunks(file, columns, options, request.classes or ()):
                spool.add(piece, number)
                if kinds is not None:
                    kinds.add(piece, file)
        writers = {part: StoreWriter(folder / part, stack) for part in PARTS}
        for stream, slices in spool.by_stream():
            rows = spool.rows(slices)
            check(stream, rows, files, options.time, long=long, one_a_file=not options.stream_columns)
            kind = None if kinds is None else kinds.of(stream)
            for part, cut in split.cut(stream, rows.t).items():
                made = record(stream, rows.cut(cut), channels, request.period_s, long=long)
                if made is None or made.label is None:
                    continue
                values = np.full((len(made.tick), len(request.channels)), np.nan)
                values[:, place] = made.values
                gain = np.where(made.label > 0, 1.0, -options.false_alarm).astype(np.float32)
                made = replace(made, values=values, gain=gain, kind=kind)
                writers[part].add(made, request.channels, request.period_s, request.delta_cap_s)
        for writer in writers.values():
            writer.finish()
    (folder / "spool").unlink()


def _split(options: SplitOptions, unit: str, seed: int) -> ByStream | ByTime:
    if options.by == "stream":
        return ByStream(options.valid, options.test, seed)
    if options.valid_from is None:
        raise AssertionError  # the options have been checked
    valid_from = _moment(options.valid_from, "valid_from", unit)
    test_from = None if options.test_from is None else _moment(options.test_from, "test_from", unit)
    if test_from is not None and test_from <= valid_from:
        raise TrainingError("data.options.split: test_from is not after valid_from; `train`, `valid` and `test` follow")
    return ByTime(valid_from, test_from, round(options.gap * 1e9))


def _moment(value: str | float, key: str, unit: str) -> int:
    try:
        return int(times(RowLocation(Path("data.options.split"), 1), pl.Series(key, [value]), unit)[0])
    except TrainingError as error:
        raise TrainingError(
            f"data.options.split.{key} {value!r} is no time; write ISO 8601, such as 2026-03-01T00:00:00Z, or a number "
            f"of {unit} as in the table"
        ) from error

"""Exports of streams: what all watches know of one stream, as text that another daemon can import."""

from __future__ import annotations

import base64
import binascii
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin import __version__
from tocsin.engine.format import Format
from tocsin.engine.streams.state import StreamState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.runtime.shadowed_watch import RunningWatch

_MAX_BYTES = 64 * 1024 * 1024
_FORMAT = Format("the export of a stream", 1)


def write_export(watches: Iterable[RunningWatch], stream: str) -> str:
    """Export a stream that these watches know.

    Returns:
        A compressed NumPy archive in Base64: `header`, JSON as bytes, and `NUMBER.COLUMN` for each watch's columns.
    """
    arrays: dict[str, Any] = {}
    header: dict[str, Any] = {
        "format": _FORMAT.number,
        "version": __version__,
        "stream": stream,
        "watches": [],
    }
    for number, watch in enumerate(watches):
        state = watch.engine.export_streams([stream])
        header["watches"].append({"watch": watch.name, "meta": dict(state.meta)})
        arrays |= {f"{number}.{name}": column for name, column in state.columns.items()}
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return base64.b64encode(out.getvalue()).decode()


def read_export(stream: str, text: str) -> Iterator[tuple[str, StreamState]]:
    """Read an export under another name.

    Args:
        stream: Name of the stream from now on.
        text: What `write_export` gave.

    Yields:
        Each watch's name, and the state of the stream in it.

    Raises:
        ValueError: It is no export, too large, or of another format. `KeyError`, `TypeError`, `AttributeError`,
            `IndexError`, `OSError` and `zipfile.BadZipFile` say that it is damaged.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        size = sum(member.file_size for member in members.infolist())
    if size > _MAX_BYTES:
        raise ValueError(f"{size} bytes, at most {_MAX_BYTES}")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        header = _FORMAT.upgrade(json.loads(arrays["header"].tobytes()))
        for number, entry in enumerate(header["watches"]):
            streams = [{**known, "name": stream} for known in entry["meta"]["streams"]]
            meta = {**entry["meta"], "version": header["version"], "streams": streams}
            prefix = f"{number}."
            columns = {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}
            yield entry["watch"], StreamState(meta, columns)

"""An export says which format it has and which version of Tocsin wrote it; a newer one is refused by that version."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
from counting_watch import START, alarm, engine

from tocsin import __version__
from tocsin.engine import Engine, Readings
from tocsin.engine.conditions.limit import Above
from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.runtime.stream_export import read_export, write_export


@dataclass
class Watch:
    name: str
    engine: Engine


def watching():
    return engine(alarm("hr-high", Above(0, 120, 5)))


def exported():
    watched = watching()
    watched.apply(Readings.of([("bed", START, {"hr": 130.0, "spo2": 97.0})]), START)
    return write_export([Watch("ward", watched)], "bed")


def header_of(text):
    with np.load(io.BytesIO(base64.b64decode(text))) as arrays:
        return json.loads(arrays["header"].tobytes()), {name: arrays[name] for name in arrays.files}


def changed(**fields):
    """An export with other fields in its header."""
    header, arrays = header_of(exported())
    arrays["header"] = np.frombuffer(json.dumps({**header, **fields}).encode(), np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return base64.b64encode(out.getvalue()).decode()


def test_an_export_names_its_format_and_the_version_that_wrote_it():
    header, _ = header_of(exported())
    assert (header["format"], header["version"]) == (1, __version__)


def test_an_export_is_read_under_another_name():
    ((watch, state),) = read_export("room", exported())
    assert (watch, state.streams) == ("ward", ["room"])
    there = watching()
    there.import_streams(state, START)
    assert there.table.row_of("room") is not None


def test_a_newer_export_is_refused_and_the_error_names_its_version():
    says = r"the export of a stream has format 2, written by Tocsin 9.9 \(legal: format 1; upgrade Tocsin"
    with pytest.raises(ValueError, match=says):
        list(read_export("bed", changed(format=2, version="9.9")))


def test_a_newer_state_in_an_export_is_refused_and_the_error_names_its_version():
    header, _ = header_of(exported())
    header["watches"][0]["meta"]["format"] = 2
    ((_, state),) = read_export("bed", changed(version="9.9", watches=header["watches"]))
    with pytest.raises(StreamRefused, match=r"memory has format 2, written by Tocsin 9.9"):
        watching().import_streams(state, START)

"""What an engine refused, as the log and the metrics take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.engine.frames.assembler import MOST_SAMPLES
from tocsin.engine.result import ReadingReject
from tocsin.ingest.reject import Reject

if TYPE_CHECKING:
    from tocsin.engine import EngineResult, Readings
    from tocsin.engine.model import Model


def rejects(readings: Readings, engine_result: EngineResult, model: Model, topic: str) -> list[Reject]:
    """Name each reason and stream once a batch, with a count: somebody has to find the sensor.

    Args:
        readings: The batch.
        engine_result: What the engine made of it.
        model: Whose channels say what is plausible.
        topic: The template of the source.
    """
    made = []
    for why, indices in engine_result.rejected.items():
        _, first, counts = np.unique(readings.stream[indices], return_index=True, return_counts=True)
        for index, count in zip(indices[first].tolist(), counts.tolist(), strict=True):
            stream = readings.streams[readings.stream[index]]
            made.append(Reject.of(why, topic, stream, _detail(why, readings, index, model), count))
    return made


def _detail(why: ReadingReject, readings: Readings, index: int, model: Model) -> str:
    match why:
        case ReadingReject.LATE:
            return f"t={readings.t[index]} ns: the frame of its tick has closed"
        case ReadingReject.STANDBY:
            return "its stream is on standby"
        case ReadingReject.CROWDED:
            return f"t={readings.t[index]} ns: {MOST_SAMPLES} readings of its tick are there, of which a mean is taken"
        case ReadingReject.TOO_MANY_STREAMS:
            return "a new stream, and max_streams are known already"
        case ReadingReject.IMPLAUSIBLE:
            channels = {channel.name: channel for channel in model.channels}
            return ", ".join(
                f"{name}={value:g} is not in {channels[name].low:g}..{channels[name].high:g} {channels[name].unit}"
                for name, value in zip(readings.channels, readings.values[index].tolist(), strict=True)
                if name in channels and not (np.isnan(value) or channels[name].low <= value <= channels[name].high)
            )

"""Recorders of frames, events and rejected readings."""

from __future__ import annotations

from typing import Any

from harness.recording import Recording
from tocsin.delivery import Sink

FRAME_COLUMNS = ("x", "mask", "score", "contribution", "mean", "scale", "low", "high", "reprocessed")
"""Columns of a frame that are hashed."""


class RejectRecorder:
    """Records every rejected reading."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def report(self, rejects: Any, now: int) -> None:
        self._recording.rejects += [[now, str(one.reason), one.stream, one.detail] for one in rejects]


class EventRecorder(Sink):
    """Passes every event to the harness, without deliveries."""

    name = "recorder"

    def __init__(self, take: Any) -> None:
        self._take = take

    def payload_for(self, event: Any) -> list[Any]:
        self._take(event)
        return []


def record_frames(core: Any, recording: Recording) -> None:
    """Record each frame that the core steps, when it applies a batch or a deployment."""
    for name in ("apply", "apply_deployment"):
        setattr(core, name, _recorded(getattr(core, name), recording))


def _recorded(call: Any, recording: Recording) -> Any:
    def called(*given: Any) -> Any:
        found = call(*given)
        for result in found:
            for output in () if result.watch is None else result.watch.outputs:
                _take_frames(recording, output.runtime, output.steps, " before" if output.is_incumbent else "")
        return found

    return called


def _take_frames(recording: Recording, runtime: Any, frames: Any, mark: str) -> None:
    names = runtime.engine.table.names
    for steps in frames:
        for i, row in enumerate(steps.rows.tolist()):
            key = f"{runtime.name} {names[row]} {runtime.model.name}/{runtime.model.version}{mark}"
            columns = {name: getattr(steps, name) for name in FRAME_COLUMNS}
            bits = {name: column[i].tobytes() for name, column in columns.items() if column is not None}
            recording.frames.append((key, int(steps.t[i]), steps.score[i], bits))

"""Queries at the end of a scenario, and its result as plain data."""

from __future__ import annotations

from typing import Any

from harness.daemon import Daemon


def collected(daemon: Daemon, **more: Any) -> dict[str, Any]:
    """Return the recording and the final state of the daemon."""
    recording = daemon.recording
    return {
        "events": recording.events,
        "answers": recording.answers,
        "published": recording.published,
        "requests": recording.requests,
        "rejects": recording.rejects,
        "scores": recording.scores,
        "bits": recording.bits,
        "stream_state": daemon.stream_state(),
        "registry": daemon.registry(),
        **more,
    }


def question(daemon: Daemon, now: int, *paths: str) -> None:
    """Query these views and record the answers."""
    for path in paths:
        daemon.get(f"/api/v1/{path}", now)

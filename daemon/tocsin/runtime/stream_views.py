"""Views of streams, as answers show them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from tocsin.api.event_json import number, time_fields
from tocsin.api.views import MemoryView, OverridesView, StreamsView, StreamView, WatchView
from tocsin.engine.conditions.adaptation import StreamBaseline
from tocsin.engine.lifecycle.commands import StreamRefused
from tocsin.engine.types import ALWAYS, NEVER, PROFILE
from tocsin.runtime.stream_export import write_export

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tocsin.api.queries import ListStreams
    from tocsin.engine.model import Model
    from tocsin.runtime.shadowed_watch import RunningWatch


def list_streams(watches: Mapping[str, RunningWatch], wanted: ListStreams) -> StreamsView:
    """Show the streams that a query selects, by name."""
    names = {
        name
        for watch in watches.values()
        for name in (watch.engine.table.names[row] for row in watch.engine.table.live_rows().tolist())
        if wanted.stream is None or fnmatchcase(name, wanted.stream)
    }
    views = [show_stream(watches, name) for name in sorted(names)]
    return StreamsView(streams=[view for view in views if wanted.labels.items() <= view.labels.items()])


def show_stream(watches: Mapping[str, RunningWatch], stream: str) -> StreamView:
    """Show a stream in every watch that knows it.

    Raises:
        StreamRefused: None does.
    """
    labels: dict[str, str] = {}
    known = _knowing(watches, stream)
    for watch in known:
        labels |= watch.engine.table.labels[_row(watch, stream)]
    return StreamView(stream=stream, labels=labels, watches=[_watch_view(watch, stream) for watch in known])


def export_stream(watches: Mapping[str, RunningWatch], stream: str) -> MemoryView:
    """Export a stream from every watch that knows it.

    Raises:
        StreamRefused: None does.
    """
    return MemoryView(stream=stream, memory=write_export(_knowing(watches, stream), stream))


def _watch_view(watch: RunningWatch, stream: str) -> WatchView:
    table, model, row = watch.engine.table, watch.model, _row(watch, stream)
    standby = int(table.standby_until[row])
    until = None if standby in {NEVER, ALWAYS} else standby
    alarms = [alarm.name for alarm in watch.engine.alarms]
    previous = watch.previous_model(stream)
    times: dict[str, Any] = {
        **time_fields("newest_t", _time(table.newest_t[row])),
        **time_fields("last_reading_at", _time(table.last_reading_at[row])),
        **time_fields("standby_until", until),
    }
    return WatchView(
        watch=watch.name,
        model=_named(model),
        old_model=None if previous is None else _named(previous),
        admitted=bool(table.admitted[row]),
        standby=standby != NEVER,
        frames=int(table.frame_count[row]),
        warming_up=bool(table.frame_count[row] <= model.warm_up_ticks),
        profile=_profile(model, table.static[row], table.profile[row]),
        limits=_given(alarms, table.stream_limit[row]),
        overrides=_overrides(watch, alarms, row),
        thresholds=_thresholds(watch, row),
        **times,
    )


def _named(model: Model) -> str:
    return f"{model.name}/{model.version}"


def _overrides(watch: RunningWatch, alarms: list[str], row: int) -> OverridesView:
    table = watch.engine.table
    if table.overrides is None:
        return OverridesView(limits={}, profile={}, off=[])
    return OverridesView(
        limits=_given(alarms, table.override_limit[row]),
        profile=_profile(watch.model, table.override_static[row], table.override_profile[row]),
        off=[alarm for alarm, off in zip(alarms, table.override_off[row].tolist(), strict=True) if off],
    )


def _profile(model: Model, static: NDArray[np.float64], profile: NDArray[np.float64]) -> dict[str, float]:
    return _given([channel.name for channel in model.channels], static) | _given(PROFILE, profile)


def _given(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    """Known values by name."""
    return {name: value for name, value in zip(names, values.tolist(), strict=True) if number(value) is not None}


def _thresholds(watch: RunningWatch, row: int) -> dict[str, float | None]:
    """A stream's own thresholds by alarm, where they are adapted; None while it settles."""
    adaptation, table = watch.engine.watch.adaptation, watch.engine.table
    if adaptation is None:
        return {}
    rows = np.array([row])
    own, given = StreamBaseline.of(adaptation, table, rows), table.limits(rows)[0].tolist()  # (A,)
    found: dict[str, float | None] = {}
    for alarm, limit in zip(watch.engine.alarms, given, strict=True):
        if alarm.condition.threshold is not None:
            threshold = alarm.condition.threshold if number(limit) is None else limit
            least, most = (float(bound[0]) for bound in own.bounds(threshold))
            found[alarm.name] = most if least == most else None
    return found


def _time(value: np.int64) -> int | None:
    return None if value == NEVER else int(value)


def _row(watch: RunningWatch, stream: str) -> int:
    row = watch.engine.table.row_of(stream)
    if row is None:  # the caller has checked
        raise KeyError(stream)
    return row


def _knowing(watches: Mapping[str, RunningWatch], stream: str) -> list[RunningWatch]:
    found = [watch for watch in watches.values() if watch.engine.table.row_of(stream) is not None]
    if not found:
        raise StreamRefused(stream, "is not known (legal: see list-streams)", "unknown-stream")
    return found

"""Checks of conditions against the bundle that judges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.bundle.calibration import BudgetError
from tocsin.config.conditions import ForecastEntry
from tocsin.config.thresholds import of_budget, score_statistics
from tocsin.engine.model import ChannelKind, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions import LimitEntry, Member
    from tocsin.config.schema import AlarmEntry

_TASKS = {
    "anomaly": (Task.FORECAST, Task.SEQ2SEQ),
    "probability": (Task.ALARM, Task.CLASSIFY),
    "drift": (Task.FORECAST, Task.SEQ2SEQ),
    "forecast": (Task.SEQ2SEQ,),
}
MIN_SETTLING_TICKS = 100
NO_STATISTICS = (
    "statistics of the score on normal streams, and the manifest of {} has none: python -m tocsin_training.recalibrate "
    "writes them, for a score that is positive"
)
_MIN_QUANTILES = 2
_NS_PER_S = 1_000_000_000
_Path = tuple[str | int, ...]
_Fault = tuple[_Path, str]


def alarm_faults(path: _Path, alarm: AlarmEntry, bundle: Bundle) -> Iterator[_Fault]:
    """Find the faults of an alarm's condition: paths below the watch, and messages."""
    if alarm.members:
        for index, member in enumerate(alarm.members):
            yield from _condition_faults((*path, alarm.kind, index, member.kind), member, bundle)
    elif alarm.silent is None:
        yield from _condition_faults((*path, alarm.kind), alarm, bundle)
    try:
        of_budget(alarm, bundle)
    except BudgetError as error:
        yield (*path, alarm.kind, "budget"), str(error)


def channel_faults(path: _Path, name: str, bundle: Bundle, *kinds: ChannelKind) -> Iterator[_Fault]:
    """Check that a bundle measures a channel, or has it as one of some further kinds."""
    legal = [c.name for c in bundle.manifest.channels if c.kind in {ChannelKind.READING, *kinds}]
    if name not in legal:
        yield path, f"{bundle.manifest.name} measures no {name!r} (it measures: {', '.join(legal)})"


def settling_faults(path: _Path, settle_s: float, bundle: Bundle) -> Iterator[_Fault]:
    """Check that a stream settles for enough ticks."""
    period_s = bundle.model.period_ns / _NS_PER_S
    if settle_s < MIN_SETTLING_TICKS * period_s:
        yield (
            (*path, "settle_s"),
            (
                f"{settle_s:g} is {settle_s / period_s:.3g} ticks of {bundle.manifest.name}, too few for statistics of "
                f"a stream (legal: from {MIN_SETTLING_TICKS} ticks, {MIN_SETTLING_TICKS * period_s:g} s)"
            ),
        )


def _condition_faults(path: _Path, entry: Member, bundle: Bundle) -> Iterator[_Fault]:
    wanted, task = _TASKS.get(entry.kind), bundle.manifest.task
    if wanted is not None and task not in wanted:
        others = [kind for kind, tasks in _TASKS.items() if task in tasks and kind not in {"drift", "forecast"}]
        remedy = f": use {' or '.join(others)}" if entry.kind in {"anomaly", "probability"} else ""
        yield (
            path,
            (
                f"{entry.kind} needs a model of task {' or '.join(wanted)}, and {bundle.manifest.name} is of task "
                f"{task}{remedy}"
            ),
        )
    elif entry.forecast is not None and len(bundle.manifest.quantiles or ()) < _MIN_QUANTILES:
        yield path, f"forecast needs two quantiles or more, and {bundle.manifest.name} has one"
    elif entry.drift is not None and score_statistics(bundle) is None:
        yield path, f"drift needs {NO_STATISTICS.format(bundle.manifest.name)}"
    elif entry.drift is not None:
        yield from settling_faults(path, entry.drift.settle_s, bundle)
    threshold = entry.probability.threshold if entry.probability is not None else None
    if threshold is not None and not 0 < threshold < 1:
        yield (*path, "threshold"), f"{threshold:g} is no probability (legal: between 0 and 1)"
    yield from _channels_faults(path, entry, bundle)


def _channels_faults(path: _Path, entry: Member, bundle: Bundle) -> Iterator[_Fault]:
    """Check the channels of a condition, and its limits for them."""
    change, limit = entry.rises or entry.falls, entry.above or entry.below or entry.forecast
    for named in (change, limit, entry.absent, entry.flatline, entry.implausible):
        if named is not None:
            yield from channel_faults((*path, "channel"), named.channel, bundle)
    if limit is not None:
        yield from _limit_faults((*path, "limit"), limit, bundle)
    period_s = bundle.model.period_ns / _NS_PER_S
    if change is not None and change.within_s < period_s:
        yield (
            (*path, "within_s"),
            f"{change.within_s:g} s is shorter than a tick of {bundle.manifest.name} (legal: from {period_s:g} s)",
        )
    if entry.news2 is not None:
        for key, channel in entry.news2.channels.items():
            yield from channel_faults((*path, key), channel, bundle, ChannelKind.STATIC)


def _limit_faults(path: _Path, limit: LimitEntry | ForecastEntry, bundle: Bundle) -> Iterator[_Fault]:
    if isinstance(limit, ForecastEntry):
        path = (*path[:-1], "above" if limit.above is not None else "below")
    for channel in bundle.manifest.channels:
        if channel.name == limit.channel and not channel.low <= limit.limit <= channel.high:
            yield (
                path,
                (
                    f"{limit.limit:g} can never be passed: {channel.name} is plausible from {channel.low:g} to "
                    f"{channel.high:g} {channel.unit}, and other values are rejected"
                ),
            )

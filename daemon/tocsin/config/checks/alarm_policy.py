"""Checks of alarm policies beyond the schema."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import combinations, product
from typing import TYPE_CHECKING

from tocsin.alarm.record import URGENCY
from tocsin.config.checks.sources import can_be_equal
from tocsin.config.sources import topics_of, watches_of
from tocsin.ingest.formats import registry
from tocsin.ingest.source_settings import CHANNEL
from tocsin.ingest.topics import TopicTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tocsin.config.schema import AlarmEntry, WatchEntry
    from tocsin.config.sources import SourceEntry

_Fault = tuple[tuple[str | int, ...], str]


def alarm_policy_faults(watches: Mapping[str, WatchEntry], sources: Sequence[SourceEntry]) -> Iterator[_Fault]:
    """Find faults.

    Yields:
        The keys that lead to a fault, and the fault.
    """
    names = sorted({name for watch in watches.values() for name in watch.alarms})
    for watch_name, watch in watches.items():
        for name, alarm in watch.alarms.items():
            path = "watches", watch_name, "alarms", name
            yield from _inhibits(path, alarm, [other for other in names if other != name])
            yield from _escalates(path, alarm)
    yield from _duplicates(watches, sources)


def _inhibits(path: tuple[str | int, ...], alarm: AlarmEntry, others: list[str]) -> Iterator[_Fault]:
    for index, rule in enumerate(alarm.inhibits):
        if not any(fnmatchcase(other, rule.alarm) for other in others):
            there_are = ", ".join(others) or "none"
            yield (
                (*path, "inhibits", index, "alarm"),
                f"no other alarm is called {rule.alarm!r} (there are: {there_are})",
            )


def _escalates(path: tuple[str | int, ...], alarm: AlarmEntry) -> Iterator[_Fault]:
    for index, step in enumerate(alarm.escalate or []):
        if URGENCY[step.to] <= URGENCY[alarm.priority]:
            message = f"{step.to} is no rise for an alarm of priority {alarm.priority}: leave the step out"
            yield (*path, "escalate", index, "to"), message


def _duplicates(watches: Mapping[str, WatchEntry], sources: Sequence[SourceEntry]) -> Iterator[_Fault]:
    """Find alarms of one name that two watches can raise for one stream: their events would be indistinguishable."""
    for (first, one), (second, other) in combinations(watches.items(), 2):
        names = [name for name in other.alarms if name in one.alarms]
        if names and _share_a_stream(first, second, sources, list(watches)):
            for name in names:
                yield (
                    ("watches", second, "alarms", name),
                    f"watch {first!r} has an alarm of this name too, and both can watch one stream: rename one of them",
                )


def _share_a_stream(first: str, second: str, sources: Sequence[SourceEntry], watches: list[str]) -> bool:
    of_first = [source for source in sources if first in watches_of(source, watches)]
    of_second = [source for source in sources if second in watches_of(source, watches)]
    return any(
        one is other or any(can_be_equal(a, b) for a, b in product(_streams(one), _streams(other)))
        for one, other in product(of_first, of_second)
    )


def _streams(source: SourceEntry) -> list[str]:
    """The patterns of a source's stream names; empty where payloads name them, or where the patterns are at fault."""
    if source.stream is not None or source.name is not None:
        return [source.stream] if source.stream is not None else []
    patterns = []
    reserved = {CHANNEL, *registry.find(source.format).naming.reserved}
    for topic in topics_of(source):
        try:
            names = TopicTemplate(topic).names
        except ValueError:
            continue  # reported as the source's
        patterns.append("/".join(f"{{{name}}}" for name in names if name not in reserved))
    return patterns

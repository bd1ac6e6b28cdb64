"""Suppression by design: which alarms suppress which others.

A technical alarm suppresses the physiological alarms of its stream that read only its channels; one that reads the
whole stream, as `silent` does, suppresses all of them. `AlarmPolicy.inhibits` names further alarms. An alarm suppresses
others while its condition holds and it is annunciated, so that one of them always is.
"""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from tocsin.engine.events import Category

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tocsin.alarm.policy import AlarmPolicy, Inhibition
    from tocsin.alarm.record import AlarmRecord

_Where = tuple[tuple[str, ...], tuple[str, ...]]  # names of labels, and their values
_Rule = tuple[str, str, str]  # stream and alarm, and which names it inhibits

_W = TypeVar("_W")
_K = TypeVar("_K")
_E = TypeVar("_E")


class Inhibitors:
    """The alarms that suppress others now."""

    def __init__(self) -> None:
        self._of_stream: dict[str, dict[tuple[str, str], tuple[AlarmRecord, AlarmPolicy]]] = {}
        self._where: dict[_Where, dict[_Rule, tuple[AlarmRecord, Inhibition]]] = {}
        self._names: dict[tuple[str, ...], int] = {}  # number of inhibitors that compare these labels

    def update(self, record: AlarmRecord, policy: AlarmPolicy, *, gone: bool = False) -> bool:
        """Update an alarm, or remove it if it is gone; whether the suppression of others may change."""
        inhibits = record.status.active and record.status.is_annunciated and not gone
        changed = False
        if policy.category is Category.TECHNICAL:
            changed |= _put(self._of_stream, record.stream, record.key, (record, policy) if inhibits else None)
        for rule in policy.inhibits:
            values = _values(rule.equal, record.stream, record.labels)
            if values is None:
                continue
            at, key = (rule.equal, values), (*record.key, rule.alarm)
            was = key in self._where.get(at, {})
            changed |= _put(self._where, at, key, (record, rule) if inhibits else None)
            self._names[rule.equal] = self._names.get(rule.equal, 0) + inhibits - was
        return changed

    def of(self, record: AlarmRecord, policy: AlarmPolicy) -> tuple[str, ...]:
        """The names of the alarms that suppress one, sorted."""
        return tuple(sorted({*self._technical(record, policy), *self._named(record)}))

    def _technical(self, record: AlarmRecord, policy: AlarmPolicy) -> Iterator[str]:
        if policy.category is Category.TECHNICAL:
            return
        covered: set[str] = set()
        found = []
        for other, other_policy in self._of_stream.get(record.stream, {}).values():
            if not other_policy.channels:
                yield other.name
            elif not set(policy.channels).isdisjoint(other_policy.channels):
                covered.update(other_policy.channels)
                found.append(other.name)
        if policy.channels and covered.issuperset(policy.channels):
            yield from found

    def _named(self, record: AlarmRecord) -> Iterator[str]:
        for names, count in self._names.items():
            values = _values(names, record.stream, record.labels) if count else None
            if values is None:
                continue
            for other, rule in self._where.get((names, values), {}).values():
                if other.key != record.key and _pattern(rule.alarm).match(record.alarm):
                    yield other.name


def _put(index: dict[_W, dict[_K, _E]], where: _W, key: _K, entry: _E | None) -> bool:
    """Set an entry, or remove it with None; whether it is new or removed."""
    was_there = key in index.get(where, {})
    if entry is not None:
        index.setdefault(where, {})[key] = entry
    elif was_there:
        del index[where][key]
        if not index[where]:
            del index[where]
    return was_there != (entry is not None)


def _values(names: tuple[str, ...], stream: str, labels: Mapping[str, str]) -> tuple[str, ...] | None:
    """The labels' values; None if one is unknown: an unknown label equals nothing."""
    known = {"stream": stream, **labels}
    values = tuple(known[name] for name in names if name in known)
    return values if len(values) == len(names) else None


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(translate(text))

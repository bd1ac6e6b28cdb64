"""Performance of an alarm system: the figures of ISA-18.2 and EEMUA 191 over a time, from the alarm log.

Times are times of processing. Annunciated alarms are the load: an alarm that was shelved, suppressed or out of service
when it was raised counts from the end of that on. Tests do not count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tocsin.alarm.events import Transition
from tocsin.alarm.flood import FLOOD_BEGINS_ABOVE, FloodPeriod, alarms_per_period, floods_of
from tocsin.engine.events import Priority

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * _NS_PER_S
STALE_NS = DAY_NS
_TOP = 10


@dataclass(frozen=True, slots=True)
class LogRow:
    """An event of the log, as far as figures need it.

    Attributes:
        group: The group of streams, which is the load of one operator or team.
        stream: The stream's name.
        alarm: The alarm's name.
        transition: The transition.
        at: Time of processing, nanoseconds since 1970.
        priority: Priority after it.
        occurrence: The occurrence concerned; None without one.
        annunciated: Whether the alarm is annunciated after it.
        actor: The person or program that gave the command; None without a command.
        comment: The reason.
        verdict: Of a mark: whether the alarm was true.
        fleeting: Of a clear: whether the alarm was active for a few seconds only.
    """

    group: str
    stream: str
    alarm: str
    transition: Transition
    at: int
    priority: Priority
    occurrence: int | None
    annunciated: bool
    actor: str | None = None
    comment: str | None = None
    verdict: bool | None = None
    fleeting: bool = False


@dataclass(slots=True)
class Occurrence:
    """One occurrence of an alarm.

    Attributes:
        group: The group of streams.
        stream: The stream's name.
        alarm: The alarm's name.
        priority: Priority at its first row.
        annunciated: Begin and end of each time of annunciation; the last end is None while it is annunciated.
        acknowledged_at: Time of the first acknowledgement; None if it is unacknowledged.
        verdict: The last verdict of staff; None without one.
    """

    group: str
    stream: str
    alarm: str
    priority: Priority
    annunciated: list[tuple[int, int | None]] = field(default_factory=list)
    acknowledged_at: int | None = None
    verdict: bool | None = None

    @property
    def is_annunciated(self) -> bool:
        """Whether it is annunciated now."""
        return bool(self.annunciated) and self.annunciated[-1][1] is None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and its target.

    Attributes:
        name: The figure's name.
        value: The value; None without data.
        unit: Unit of the value.
        target: The standard's target; empty where it gives none.
        is_met: Whether the target is met; None without a value or a target.
        detail: Details for a person.
    """

    name: str
    value: float | None
    unit: str
    target: str = ""
    is_met: bool | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """The figures of a time, and the data behind them.

    Attributes:
        begin: Begin of the time, nanoseconds since 1970.
        end: End of the time, nanoseconds since 1970.
        groups: Groups of streams.
        alarms: Number of annunciated alarms.
        figures: Figures in the order of the standard's table.
        periods: Number of ten-minute periods of a group by the number of alarms in them.
        days: Annunciated alarms by priority, on each day from `begin` on.
        top: (stream, alarm, count) of the most frequent alarms, at most ten.
        response_s: Seconds from annunciation to acknowledgement by priority, ascending.
        floods: Floods in the order of time.
        chattering: Number of times by (stream, alarm) of alarms that chattered.
        stale: (stream, alarm) of alarms that were annunciated for more than a day.
    """

    begin: int
    end: int
    groups: list[str]
    alarms: int
    figures: list[Figure]
    periods: dict[int, int]
    days: list[dict[Priority, int]]
    top: list[tuple[str, str, int]]
    response_s: dict[Priority, list[float]]
    floods: list[FloodPeriod]
    chattering: dict[tuple[str, str], int]
    stale: list[tuple[str, str]]


def report(rows: Iterable[LogRow], begin: int, end: int, operators: int = 1) -> PerformanceReport:
    """Compute the figures of a time.

    Args:
        rows: The log in its order; rows before `begin` only give the alarms that were annunciated then.
        begin: Nanoseconds since 1970.
        end: Nanoseconds since 1970, later than `begin`.
        operators: Number of operators that share a group's load.

    Raises:
        ValueError: The time has no length.
    """
    if end <= begin:
        raise ValueError(f"a report from {begin} to {end} ns: the end must come after the beginning")
    occurrences: dict[int, Occurrence] = {}
    seen = _Seen()
    for row in rows:
        if row.at >= end:
            continue
        if row.at >= begin:
            seen.take(row)
        if row.occurrence is not None:
            _follow(occurrences, row, row.occurrence)
    return _judge(list(occurrences.values()), seen, begin, end, operators)


@dataclass(slots=True)
class _Seen:
    """Counts of rows."""

    unauthorised: int = 0
    fleeting: int = 0
    chattering: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, row: LogRow) -> None:
        # A suppression without an actor is the configuration's, such as the shelving of a chattering alarm.
        self.unauthorised += row.transition in _SUPPRESSIONS and row.actor is not None and not row.comment
        self.fleeting += row.fleeting
        if row.transition is Transition.CHATTER:
            self.chattering[row.stream, row.alarm] += 1


_SUPPRESSIONS = (Transition.SHELVE, Transition.REMOVE_FROM_SERVICE)


def _follow(occurrences: dict[int, Occurrence], row: LogRow, number: int) -> None:
    """Update an occurrence by a row."""
    o = occurrences.get(number)
    if o is None:
        o = occurrences[number] = Occurrence(row.group, row.stream, row.alarm, row.priority)
    match row.transition:
        case Transition.ACKNOWLEDGE:
            o.acknowledged_at = row.at if o.acknowledged_at is None else o.acknowledged_at
        case Transition.MARK:
            o.verdict = row.verdict
            return  # it may come long after the occurrence has ended
        case Transition.ANNOTATE:
            return
    if row.annunciated and not o.is_annunciated:
        o.annunciated.append((row.at, None))
    elif not row.annunciated and o.is_annunciated:
        o.annunciated[-1] = (o.annunciated[-1][0], row.at)


def _judge(found: Sequence[Occurrence], seen: _Seen, begin: int, end: int, operators: int) -> PerformanceReport:
    annunciations = sorted((start, i) for i, o in enumerate(found) for start, _ in o.annunciated if start >= begin)
    groups = sorted({o.group for o in found}) or [""]
    of_group: dict[str, list[int]] = {group: [] for group in groups}
    load: Counter[tuple[str, str]] = Counter()
    mix: Counter[Priority] = Counter()
    days: list[dict[Priority, int]] = [dict.fromkeys(Priority, 0) for _ in range(-(-(end - begin) // DAY_NS))]
    for at, i in annunciations:
        o = found[i]
        of_group[o.group].append(at)
        load[o.stream, o.alarm] += 1
        mix[o.priority] += 1
        days[(at - begin) // DAY_NS][o.priority] += 1
    periods = alarms_per_period(of_group, begin, end)
    floods = sorted(
        (flood for group, times in of_group.items() for flood in floods_of(group, times, end, operators)),
        key=lambda f: f.begin,
    )
    recent = [o for o in found if any(start >= begin for start, _ in o.annunciated)]
    stale_days, stale = _stale(found, begin, end)
    response_s = _responses(recent)
    top = [(*key, count) for key, count in load.most_common(_TOP)]
    n = len(annunciations)
    figures = [
        *_rates(periods, n, operators),
        *_of_floods(floods, len(groups) * (end - begin)),
        _share("load of the ten most frequent alarms", sum(c for *_, c in top), n, "1 % to 5 %", low=0.01, high=0.05),
        Figure("chattering alarms", len(seen.chattering), "", "0", not seen.chattering, _worst(seen.chattering)),
        Figure("fleeting alarms", seen.fleeting, "", "0", seen.fleeting == 0),
        Figure("stale alarms, most on a day", stale_days, "", "under 5", stale_days < 5),  # noqa: PLR2004  (ISA-18.2)
        *_mix(mix, n),
        *_of_responses(recent, response_s),
        *_marks(found, begin),
        Figure("people's suppressions without a reason", seen.unauthorised, "", "0", seen.unauthorised == 0),
    ]
    return PerformanceReport(
        begin, end, groups, n, figures, periods, days, top, response_s, floods, dict(seen.chattering), stale
    )


def _stale(found: Sequence[Occurrence], begin: int, end: int) -> tuple[int, list[tuple[str, str]]]:
    """Stale alarms, annunciated for more than 24 hours: the most on any day, and their names."""
    on_day: Counter[int] = Counter()
    stale: dict[tuple[str, str], None] = {}
    for o in found:
        for start, stop in o.annunciated:
            from_, until = max(start + STALE_NS, begin), min(end if stop is None else stop, end)
            if until > from_:
                stale[o.stream, o.alarm] = None
                on_day.update(range((from_ - begin) // DAY_NS, (until - 1 - begin) // DAY_NS + 1))
    return max(on_day.values(), default=0), list(stale)


def _responses(recent: Sequence[Occurrence]) -> dict[Priority, list[float]]:
    times: dict[Priority, list[float]] = {priority: [] for priority in Priority}
    for o in recent:
        if o.acknowledged_at is not None and o.acknowledged_at >= o.annunciated[0][0]:  # not while it was shelved
            times[o.priority].append((o.acknowledged_at - o.annunciated[0][0]) / _NS_PER_S)
    for of_priority in times.values():
        of_priority.sort()
    return times


def _rates(periods: dict[int, int], n: int, operators: int) -> list[Figure]:
    total = sum(periods.values())
    if not total:
        return [Figure("alarms per operator and 10 minutes", None, "", "1, at most 2", None, "no whole 10 minutes")]
    counted = sum(count * times for count, times in periods.items())
    mean, most = counted / total / operators, max(periods, default=0) / operators
    above = sum(times for count, times in periods.items() if count / operators > FLOOD_BEGINS_ABOVE)
    return [
        Figure("alarms per operator and 10 minutes", mean, "", "1, at most 2", mean <= 2, f"{n} alarms"),  # noqa: PLR2004
        Figure("most in any 10 minutes", most, "", "10", most <= FLOOD_BEGINS_ABOVE),
        _share("10-minute periods with more than 10", above, total, "under 1 %", high=0.01, strictly=True),
    ]


def _of_floods(floods: Sequence[FloodPeriod], time_ns: int) -> list[Figure]:
    longest = max(((f.end - f.begin) / _NS_PER_S / 60 for f in floods), default=0.0)
    in_flood = sum(f.end - f.begin for f in floods)
    detail = f"{len(floods)} floods, the longest {longest:.0f} min" if floods else "none"
    return [_share("time in a flood", in_flood, time_ns, "under 1 %", high=0.01, strictly=True, detail=detail)]


def _mix(mix: Counter[Priority], n: int) -> list[Figure]:
    """Shares of priorities against the standard's. It gives no tolerance; half more than the target is too many.

    Only `high` and `medium` can be too many: fewer of them are no fault.
    """
    target = {Priority.LOW: 0.8, Priority.MEDIUM: 0.15, Priority.HIGH: 0.05}
    return [
        _share(
            f"priority {priority}",
            mix[priority],
            n,
            f"about {share:.0%}".replace("%", " %"),
            high=None if priority is Priority.LOW else share * 1.5,
            judged=priority is not Priority.LOW,
        )
        for priority, share in target.items()
    ]


def _of_responses(recent: Sequence[Occurrence], response_s: dict[Priority, list[float]]) -> list[Figure]:
    figures = []
    for priority, times in response_s.items():
        detail = f"of {len(times)}; nine in ten within {_quantile(times, 0.9):.0f} s" if times else ""
        middle = _quantile(times, 0.5) if times else None
        figures.append(Figure(f"time to acknowledge, {priority}, median", middle, "s", detail=detail))
    acknowledged = sum(o.acknowledged_at is not None for o in recent)
    return [*figures, _share("acknowledged", acknowledged, len(recent), "", judged=False)]


def _marks(found: Sequence[Occurrence], begin: int) -> list[Figure]:
    marked = [o for o in found if o.verdict is not None and (not o.annunciated or o.annunciated[-1][0] >= begin)]
    false = sum(o.verdict is False for o in marked)
    return [_share("marked false, of what was marked", false, len(marked), "", judged=False)]


def _share(  # noqa: PLR0913  (a line of the table)
    name: str,
    part: float,
    whole: float,
    target: str,
    *,
    low: float = 0.0,
    high: float | None = None,
    strictly: bool = False,
    judged: bool = True,
    detail: str = "",
) -> Figure:
    if not whole:
        return Figure(name, None, "%", target, None, detail)
    share = part / whole
    met = low <= share and (high is None or (share < high if strictly else share <= high))
    return Figure(name, 100 * share, "%", target, met if judged else None, detail or f"{part:g} of {whole:g}")


def _quantile(ascending: Sequence[float], q: float) -> float:
    """The value below which a share `q` lies (nearest rank)."""
    return ascending[min(len(ascending) - 1, int(q * len(ascending)))]


def _worst(chattering: Counter[tuple[str, str]]) -> str:
    worst = chattering.most_common(3)
    return ", ".join(f"{stream}/{alarm} {count} times" for (stream, alarm), count in worst)

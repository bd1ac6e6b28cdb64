"""How alarms are to be handled, as configured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tocsin.alarm.lifecycle import OnClear

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.engine.events import Category, Priority


@dataclass(frozen=True, slots=True)
class Escalation:
    """A step up, for an alarm that nobody acknowledges.

    Attributes:
        after_ns: How long people have been told of it by then.
        to: The priority from then on; one that isn't higher changes nothing.
    """

    after_ns: int
    to: Priority


@dataclass(frozen=True, slots=True)
class Inhibition:
    """Which other alarms one keeps quiet while its condition holds.

    Attributes:
        alarm: Names; `*` stands for any text.
        equal: The labels that both streams have, and have alike; `stream` stands for the stream's name.
    """

    alarm: str
    equal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """One alarm of one watch; every stream of the watch has one.

    Attributes:
        watch: Name of the watch.
        alarm: Name of the alarm, unique among the watches that share a stream.
        priority: To begin with.
        category: Whether it is the patient's (or the machine's), or the measurement's.
        channels: The channels that its condition looks at; none where it looks at the whole stream.
        on_clear: What it means that its condition has ceased.
        escalate: Steps up, in the order of time.
        remind_ns: Tell again so often while nobody acknowledges; None: once is enough.
        re_alarm_ns: Acknowledged, and still there after so long: unacknowledged again; None: never.
        chatter_off_delay_ns: While it chatters, its clears are held back for so long; None: they are not.
        chatter_shelve_ns: When it chatters, it is shelved for so long; None: it is not.
        inhibits: What it keeps quiet, beside what every technical alarm keeps quiet.
    """

    watch: str
    alarm: str
    priority: Priority
    category: Category
    channels: tuple[str, ...] = ()
    on_clear: OnClear = OnClear.END
    escalate: tuple[Escalation, ...] = ()
    remind_ns: int | None = None
    re_alarm_ns: int | None = None
    chatter_off_delay_ns: int | None = None
    chatter_shelve_ns: int | None = None
    inhibits: tuple[Inhibition, ...] = ()


@dataclass(frozen=True, slots=True)
class Grouping:
    """When there are so many alarms in one group that people are told of them as one.

    Attributes:
        by: The labels that make a group; none: all streams are one group.
        begin: More new alarms than so many within `per_ns`: a flood.
        end: Fewer than so many: it is over.
        per_ns: The window, in `now`'s time.
        spare: Priorities of which each alarm is told by itself all the same.
    """

    by: tuple[str, ...]
    begin: int
    end: int
    per_ns: int
    spare: frozenset[Priority] = frozenset()


def _nowhere(_: str) -> Mapping[str, Mapping[str, str]]:
    return {}


@dataclass(frozen=True, slots=True)
class AlarmPolicies:
    """All alarms that there can be.

    Attributes:
        alarms: Of all watches.
        grouping: When they are told as one; None: never.
        whereabouts: The watches that know a stream, with the labels that they know of it: somebody may ask something
            of an alarm that has never been up.
    """

    alarms: Sequence[AlarmPolicy]
    grouping: Grouping | None = None
    whereabouts: Callable[[str], Mapping[str, Mapping[str, str]]] = field(default=_nowhere, compare=False)

    def named(self) -> dict[tuple[str, str], AlarmPolicy]:
        """By watch and alarm."""
        return {(policy.watch, policy.alarm): policy for policy in self.alarms}

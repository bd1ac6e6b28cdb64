"""Alarm policies: how each alarm is handled, as configured."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.engine.events import Category, Priority


class OnClear(StrEnum):
    """The effect of a condition's end on the occurrence."""

    END = "end"  # the occurrence ends, acknowledged or not
    ACKNOWLEDGE = "acknowledge"  # the occurrence ends when it is acknowledged
    LATCH = "latch"  # the occurrence ends when it is acknowledged and reset


@dataclass(frozen=True, slots=True)
class Escalation:
    """A rise of priority, for an alarm that is not acknowledged.

    Attributes:
        after_ns: Time for which the alarm has been annunciated.
        to: The priority from then on; one that is not higher changes nothing.
    """

    after_ns: int
    to: Priority


@dataclass(frozen=True, slots=True)
class Inhibition:
    """The alarms that another one suppresses while its condition holds.

    Attributes:
        alarm: Pattern of alarm names; `*` matches any text.
        equal: Labels that both streams have with equal values; `stream` stands for the stream's name.
    """

    alarm: str
    equal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """The policy of one alarm of one watch, for all streams of the watch.

    Attributes:
        watch: Name of the watch.
        alarm: Name of the alarm, unique among the watches that share a stream.
        priority: Initial priority of an occurrence.
        category: Physiological (or of the machine watched), or technical.
        channels: Channels that the condition reads; empty: the whole stream.
        on_clear: Effect of the condition's end.
        escalate: Rises of priority, in the order of time.
        remind_ns: Interval of reminders while the alarm is not acknowledged; None: no reminders.
        re_alarm_ns: Time after which an acknowledged and active alarm becomes unacknowledged again; None: never.
        chatter_off_delay_ns: Time for which clears are deferred while the alarm chatters; None: they are not.
        chatter_shelve_ns: Time for which a chattering alarm is shelved; None: it is not.
        inhibits: The alarms that it suppresses, in addition to those that every technical alarm suppresses.
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
    """Groups of streams, and the limits of a flood in a group, in which one flood alarm replaces all others.

    Attributes:
        by: Labels that name a group; empty: all streams are one group.
        begin: More new alarms than this within `per_ns` begin a flood.
        end: Fewer new alarms than this within `per_ns` end it.
        per_ns: The window.
        except_priorities: Priorities that are annunciated one by one even in a flood.
    """

    by: tuple[str, ...]
    begin: int
    end: int
    per_ns: int
    except_priorities: frozenset[Priority] = frozenset()


def _unknown_stream(_: str) -> Mapping[str, Mapping[str, str]]:
    return {}


@dataclass(frozen=True, slots=True)
class AlarmPolicies:
    """The policies of all alarms.

    Attributes:
        alarms: Policies of the alarms of all watches.
        grouping: Groups for floods; None: alarms are never grouped.
        labels_by_watch: Gives a stream's labels by each watch that knows it: a command may concern an alarm that has
            never been raised.
    """

    alarms: Sequence[AlarmPolicy]
    grouping: Grouping | None = None
    labels_by_watch: Callable[[str], Mapping[str, Mapping[str, str]]] = field(default=_unknown_stream, compare=False)

    def by_name(self) -> dict[tuple[str, str], AlarmPolicy]:
        """Policies by watch and alarm."""
        return {(policy.watch, policy.alarm): policy for policy in self.alarms}

"""Alarm events: what the daemon publishes, logs and delivers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

# At run time, too: `tocsin.alarm.serialization` converts by the annotations.
from tocsin.alarm.status import AlarmStatus  # noqa: TC001
from tocsin.engine.events import Category, Report  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.alarm.commands import Verdict


class Transition(StrEnum):
    """A change of an alarm."""

    RAISE = "raise"  # a new occurrence
    CLEAR = "clear"  # the condition no longer holds; the state says whether the occurrence has ended
    END = "end"  # the stream or the alarm is removed, and the occurrence with it
    UNCERTAIN = "uncertain"  # still active, but the condition is unknown
    CERTAIN = "certain"  # the condition is known again, and holds
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"  # a latched occurrence is ended
    RE_ALARM = "re-alarm"  # acknowledged and active for long: unacknowledged again
    ESCALATE = "escalate"  # unacknowledged for long: the priority rises
    REMIND = "remind"  # still unacknowledged
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"  # the alarms that suppress it by design have changed
    UNSUPPRESS = "unsuppress"  # no alarm suppresses it any more
    REMOVE_FROM_SERVICE = "remove-from-service"
    RETURN_TO_SERVICE = "return-to-service"
    ANNOTATE = "annotate"
    MARK = "mark"  # marked as a true or a false alarm
    CHATTER = "chatter"  # active and inactive three times within a minute
    CALM = "calm"  # chatters no more
    STALE = "stale"  # annunciated for a day


@dataclass(frozen=True, slots=True)
class Event:
    """A transition of one stream's alarm.

    Attributes:
        id: Counts up from 1 over the daemon's whole life, restarts included; identifies duplicates.
        stream: The stream's name.
        labels: The stream's labels, such as its ward.
        alarm: The alarm's name in the configuration.
        watch: The watch that it is configured in.
        category: As configured.
        transition: The transition.
        status: The alarm's status after it.
        occurrence: The id of the event that raised the occurrence, also when that has just ended.
        since: `t` of that event.
        t: Event time, nanoseconds since 1970: by the readings' own clock; of a command, `raised_at`; of a deadline, the
            deadline by the clock of `raised_at`.
        raised_at: Processing time, nanoseconds since 1970.
        report: The condition's last report; its explanation has the last frames where an occurrence begins. The reason
            for a command is in `comment`.
        actor: The person or program that gave the command; None without a command.
        comment: The actor's reason.
        transaction: The command's transaction; None if it had none.
        verdict: The verdict of a mark.
        fleeting: Of a clear: the alarm was active for a few seconds only, and not just before.
        announced: Whether it is for people: the alarm is annunciated, or was before this event.
        test: Whether it is a test, which no statistics count.
    """

    id: int
    stream: str
    labels: Mapping[str, str]
    alarm: str
    watch: str
    category: Category
    transition: Transition
    status: AlarmStatus
    occurrence: int | None
    since: int | None
    t: int
    raised_at: int
    report: Report
    actor: str | None = None
    comment: str | None = None
    transaction: str | None = None
    verdict: Verdict | None = None
    fleeting: bool = False
    announced: bool = False
    test: bool = False

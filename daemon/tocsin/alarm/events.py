"""What comes out: events, as plain values. The shells perform them."""

from __future__ import annotations

# At run time, too: an event that was written down is read again by its annotations.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass
from enum import StrEnum

from tocsin.alarm.commands import Verdict  # noqa: TC001
from tocsin.alarm.status import AlarmStatus  # noqa: TC001
from tocsin.engine.events import Category, Report  # noqa: TC001


class Transition(StrEnum):
    """What happened to an alarm."""

    RAISE = "raise"  # an occurrence begins
    CLEAR = "clear"  # its condition has ceased; whether that ends the occurrence is told by the state
    END = "end"  # the stream or the alarm is gone; so is the occurrence
    UNCERTAIN = "uncertain"  # still up, but its condition has become unknown
    CERTAIN = "certain"  # its condition is known again, and holds
    ACKNOWLEDGE = "acknowledge"  # somebody has seen it
    RESET = "reset"  # somebody has ended what was latched
    RE_ALARM = "re-alarm"  # acknowledged long ago, and still there: unacknowledged again
    ESCALATE = "escalate"  # nobody has acknowledged it for so long that its priority has risen
    REMIND = "remind"  # nothing has changed, and nobody has acknowledged it
    SHELVE = "shelve"  # kept quiet for a time
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"  # other alarms than before keep it quiet
    UNSUPPRESS = "unsuppress"  # no alarm keeps it quiet any more
    REMOVE_FROM_SERVICE = "remove-from-service"  # out of service
    RETURN_TO_SERVICE = "return-to-service"
    ANNOTATE = "annotate"  # somebody has said something about it
    MARK = "mark"  # somebody has said whether it was true
    CHATTER = "chatter"  # it comes and goes, three times in a minute
    CALM = "calm"  # it chatters no more
    STALE = "stale"  # people have been told of it for a day


@dataclass(frozen=True, slots=True)
class Event:
    """A transition of one stream's alarm.

    Attributes:
        id: Counts up from 1 over the daemon's whole life, restarts included; tells doubles by.
        stream: Whose.
        labels: What is known of the stream, such as its ward.
        alarm: The alarm's name in the configuration.
        watch: The watch it is configured in.
        category: As configured.
        transition: What happened.
        status: What the alarm is in now.
        occurrence: The id of the event that raised the occurrence concerned, also when that has just ended.
        since: `t` of that event.
        t: When, nanoseconds since 1970: by the readings' own clock; of a command, `raised_at`; of what falls due
            with time, when it fell due, by the clock that `raised_at` is of.
        raised_at: `now` when it was processed.
        report: The condition's last reason; its explanation has the last frames where an occurrence begins. The reason
            for a command is in `comment`.
        actor: Who did it; None if nobody did.
        comment: Why, in their words.
        transaction: Of the command; None if there was none.
        verdict: What somebody marked the occurrence as.
        fleeting: Of a clear: it was there for a few seconds only, and had not been just before.
        announced: Whether people are told of it: the alarm is annunciated now, or was until this event.
        test: It is a test, and counts in no figure.
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


@dataclass(frozen=True, slots=True)
class Aside:
    """What few events say beside the rest.

    Attributes:
        occurrence: Which one it is about; None: the present one, or the one that has just ended.
        verdict: What somebody said of it.
        fleeting: Whether it was there for a few seconds only.
    """

    occurrence: int | None = None
    verdict: Verdict | None = None
    fleeting: bool = False


NOTHING_ASIDE = Aside()

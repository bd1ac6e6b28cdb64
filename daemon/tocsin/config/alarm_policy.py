"""Configuration of alarm policies and groups, as docs/alarms.md describes them."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from tocsin.alarm.policy import OnClear
from tocsin.alarm.record import URGENCY
from tocsin.config.types import Seconds, Section
from tocsin.engine.events import Category, Priority

Time = Annotated[Seconds, Field(gt=0)]
Label = Annotated[str, Field(min_length=1)]


class Step(Section):
    """A rise of priority."""

    after_s: Time = Field(description="Time for which the alarm has been annunciated and unacknowledged.")
    to: Priority


class Chattering(Section):
    """Handling of an alarm that is active and inactive three times within a minute."""

    shelve_s: Time | None = Field(default=None, description="Time for which it is shelved.")
    off_delay_s: Time | None = Field(
        default=None, description="Time for which its clears are deferred, until it is calm."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.shelve_s is None) == (self.off_delay_s is None):
            raise ValueError("give either shelve_s or off_delay_s; without chattering it is only marked")
        return self


class Inhibits(Section):
    """Alarms that another one suppresses while its condition holds."""

    alarm: str = Field(min_length=1, description="Pattern of their names; * matches any text.")
    equal: list[Label] = Field(
        min_length=1, description="Labels that both streams have with equal values; stream is the stream's name."
    )


class AlarmPolicyEntry(Section):
    """Policy of an alarm. Keys that are left out are taken from `alarms` for the alarm's category; null is none."""

    on_clear: OnClear = Field(
        default=OnClear.END,
        description="When the occurrence ends, once its condition no longer holds: end, at once; acknowledge, when it "
        "is acknowledged; latch, when it is acknowledged and reset.",
    )
    escalate: list[Step] | None = Field(
        default=None, description="Rises of priority while it is unacknowledged, in the order of time."
    )
    remind_s: Time | None = Field(default=None, description="Interval of reminders until it is acknowledged.")
    re_alarm_s: Time | None = Field(
        default=None, description="Time after which an acknowledged and active alarm becomes unacknowledged again."
    )
    chattering: Chattering | None = None

    @model_validator(mode="after")
    def _steps_go_up(self) -> Self:
        for before, after in pairwise(self.escalate or []):
            if after.after_s <= before.after_s or URGENCY[after.to] <= URGENCY[before.to]:
                raise ValueError(
                    f"escalate goes up step by step: {after.to} after {after.after_s:g} s can't follow {before.to} "
                    f"after {before.after_s:g} s"
                )
        return self


class Defaults(Section):
    """Default policies by category."""

    physiological: AlarmPolicyEntry = AlarmPolicyEntry()
    technical: AlarmPolicyEntry = AlarmPolicyEntry()

    def of(self, category: Category) -> AlarmPolicyEntry:
        """The default policy of a category."""
        return self.technical if category is Category.TECHNICAL else self.physiological


class FloodEntry(Section):
    """Limits of a flood, in which the alarms of a group are annunciated as one."""

    begin: int = Field(default=10, ge=1, description="More new alarms than this within window_s begin a flood.")
    end: int = Field(default=5, ge=1, description="Fewer new alarms than this within window_s end it.")
    window_s: Time = 600.0
    except_priorities: list[Priority] = Field(
        default=[], description="Alarms of these priorities are annunciated one by one even in a flood."
    )

    @model_validator(mode="after")
    def _ends_below_its_beginning(self) -> Self:
        if self.end > self.begin:
            raise ValueError(f"a flood that begins above {self.begin} can't end below {self.end}: set end lower")
        return self


class Groups(Section):
    """Groups of streams, in each of which floods are detected."""

    by: list[Label] = Field(
        default=[],
        description="Labels, such as ward: streams with equal values are a group. Empty: one group of all.",
    )
    flood: FloodEntry | None = Field(default=None, description="{} for 10 alarms in 10 minutes; null: none.")

"""What may stand in the configuration on how alarms are handled once they ring; docs/alarms.md says what each means."""

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
    """A step up in priority."""

    after_s: Time = Field(description="People have been told for so long, and nobody has acknowledged it.")
    to: Priority


class Chattering(Section):
    """What becomes of an alarm that rises and clears three times in a minute."""

    shelve_s: Time | None = Field(default=None, description="It is shelved for so long.")
    off_delay_s: Time | None = Field(
        default=None, description="Its clears are held back for so long, until it is calm."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.shelve_s is None) == (self.off_delay_s is None):
            raise ValueError("give either shelve_s or off_delay_s; without chattering it is only marked")
        return self


class Inhibits(Section):
    """Alarms that another one keeps quiet while its condition holds."""

    alarm: str = Field(min_length=1, description="Their names; * stands for any text.")
    equal: list[Label] = Field(
        min_length=1, description="Labels that both streams have alike; stream is the stream's own name."
    )


class AlarmPolicyEntry(Section):
    """How an alarm is handled. What is left out is as `alarms` has it for the alarm's category; null is none."""

    on_clear: OnClear = Field(
        default=OnClear.END,
        description="What it means that its condition has ceased: end, it is over; acknowledge, once somebody has seen "
        "it; latch, once somebody has seen and reset it.",
    )
    escalate: list[Step] | None = Field(
        default=None, description="Steps up in priority while nobody acknowledges it, in the order of time."
    )
    remind_s: Time | None = Field(default=None, description="Tell it again so often until somebody acknowledges it.")
    re_alarm_s: Time | None = Field(
        default=None, description="Acknowledged, and still there after so long: unacknowledged again."
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
    """How the alarms of a category are handled."""

    physiological: AlarmPolicyEntry = AlarmPolicyEntry()
    technical: AlarmPolicyEntry = AlarmPolicyEntry()

    def of(self, category: Category) -> AlarmPolicyEntry:
        """Of one category."""
        return self.technical if category is Category.TECHNICAL else self.physiological


class FloodEntry(Section):
    """When there are so many new alarms in a group that people are told of them as one."""

    begin: int = Field(default=10, ge=1, description="More new alarms than so many within window_s.")
    end: int = Field(default=5, ge=1, description="Fewer than so many: it is over.")
    window_s: Time = 600.0
    except_priorities: list[Priority] = Field(
        default=[], description="Alarms of these priorities are told one by one all the same."
    )

    @model_validator(mode="after")
    def _ends_below_its_beginning(self) -> Self:
        if self.end > self.begin:
            raise ValueError(f"a flood that begins above {self.begin} can't end below {self.end}: set end lower")
        return self


class Groups(Section):
    """Who is overwhelmed together."""

    by: list[Label] = Field(
        default=[], description="Labels, such as ward: streams that have them alike are a group. None: all are one."
    )
    flood: FloodEntry | None = Field(default=None, description="{} for 10 alarms in 10 minutes; none if left out.")

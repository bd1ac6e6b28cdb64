"""From how alarms are to be handled, as configured, to the register's plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.alarm import AlarmPolicy, Escalation, Grouping, Inhibition

if TYPE_CHECKING:
    from tocsin.config.alarm_policy import AlarmPolicyEntry, Defaults, Groups
    from tocsin.config.schema import AlarmEntry
    from tocsin.engine import Alarm

_NS_PER_S = 1_000_000_000


def plan_of(watch: str, alarm: Alarm, channels: tuple[str, ...], entry: AlarmEntry, defaults: Defaults) -> AlarmPolicy:
    """Say how an alarm is handled.

    Args:
        watch: Whose.
        alarm: It.
        channels: Those that its condition looks at.
        entry: It, as configured.
        defaults: For what its entry leaves out.
    """
    of_category = defaults.of(alarm.category)

    def wanted(key: str) -> Any:  # noqa: ANN401  (the field's own type)
        chosen: AlarmPolicyEntry = entry if key in entry.model_fields_set else of_category
        return getattr(chosen, key)

    chattering = wanted("chattering")
    return AlarmPolicy(
        watch=watch,
        alarm=alarm.name,
        priority=alarm.priority,
        category=alarm.category,
        channels=channels,
        on_clear=wanted("on_clear"),
        escalate=tuple(Escalation(_ns(step.after_s), step.to) for step in wanted("escalate") or ()),
        remind_ns=_ns_or_none(wanted("remind_s")),
        re_alarm_ns=_ns_or_none(wanted("re_alarm_s")),
        chatter_off_delay_ns=None if chattering is None else _ns_or_none(chattering.off_delay_s),
        chatter_shelve_ns=None if chattering is None else _ns_or_none(chattering.shelve_s),
        inhibits=tuple(Inhibition(rule.alarm, tuple(rule.equal)) for rule in entry.inhibits),
    )


def grouping_of(groups: Groups) -> Grouping | None:
    """Say when alarms are told as one; None: never."""
    flood = groups.flood
    if flood is None:
        return None
    return Grouping(tuple(groups.by), flood.begin, flood.end, _ns(flood.window_s), frozenset(flood.except_priorities))


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)


def _ns_or_none(seconds: float | None) -> int | None:
    return None if seconds is None else _ns(seconds)

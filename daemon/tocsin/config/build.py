"""Building of alarm policies, groups and overrides from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.alarm import AlarmPolicy, Escalation, Grouping, Inhibition
from tocsin.config.thresholds import threshold_for
from tocsin.engine.streams.overrides import Override

if TYPE_CHECKING:
    from tocsin.bundle import Bundle
    from tocsin.config.alarm_policy import AlarmPolicyEntry, Defaults, Groups
    from tocsin.config.schema import AlarmEntry, WatchEntry
    from tocsin.engine import Alarm

_NS_PER_S = 1_000_000_000


def policy_of(
    watch: str, alarm: Alarm, channels: tuple[str, ...], entry: AlarmEntry, defaults: Defaults
) -> AlarmPolicy:
    """Build the policy of an alarm.

    Args:
        watch: The watch's name.
        alarm: The alarm.
        channels: Channels that its condition reads.
        entry: Its configuration.
        defaults: Default policies for the keys that the entry leaves out.
    """
    of_category = defaults.of(alarm.category)

    def configured(key: str) -> Any:  # noqa: ANN401  (the field's own type)
        chosen: AlarmPolicyEntry = entry if key in entry.model_fields_set else of_category
        return getattr(chosen, key)

    chattering = configured("chattering")
    return AlarmPolicy(
        watch=watch,
        alarm=alarm.name,
        priority=alarm.priority,
        category=alarm.category,
        channels=channels,
        on_clear=configured("on_clear"),
        escalate=tuple(Escalation(_ns(step.after_s), step.to) for step in configured("escalate") or ()),
        remind_ns=_ns_or_none(configured("remind_s")),
        re_alarm_ns=_ns_or_none(configured("re_alarm_s")),
        chatter_off_delay_ns=None if chattering is None else _ns_or_none(chattering.off_delay_s),
        chatter_shelve_ns=None if chattering is None else _ns_or_none(chattering.shelve_s),
        inhibits=tuple(Inhibition(rule.alarm, tuple(rule.equal)) for rule in entry.inhibits),
    )


def grouping_of(groups: Groups) -> Grouping | None:
    """Build the grouping of alarms for floods; None: floods are not detected."""
    flood = groups.flood
    if flood is None:
        return None
    return Grouping(tuple(groups.by), flood.begin, flood.end, _ns(flood.window_s), frozenset(flood.except_priorities))


def overrides(entry: WatchEntry, bundle: Bundle) -> tuple[Override, ...]:
    """Build the overrides of a watch, with the thresholds that budgets amount to."""
    return tuple(
        Override(
            streams=tuple(given.streams),
            limits={
                **given.limits,
                **{
                    name: threshold_for(budget, entry.alarms[name], bundle).threshold
                    for name, budget in given.budgets.items()
                },
            },
            profile=dict(given.profile),
            off=tuple(given.off),
            adapts=given.adapt is None,
        )
        for given in entry.overrides
    )


def _ns(seconds: float) -> int:
    return round(seconds * _NS_PER_S)


def _ns_or_none(seconds: float | None) -> int | None:
    return None if seconds is None else _ns(seconds)

"""Configured policies and groups are those of the alarm registry."""

from __future__ import annotations

import configurations

from tocsin.alarm import Escalation, Grouping, Inhibition, OnClear
from tocsin.config import check
from tocsin.engine.events import Priority
from tocsin.runtime.build import build_deployment

S = 10**9


def policies(tmp_path, alarm=None, **changes):
    watches = {"ward": {"alarms": {"hr-high": alarm or {}, "gone": {"silent": {"for_s": 5}}}}}
    checked = check(configurations.write(tmp_path, watches=watches, **changes))
    assert [str(fault) for fault in checked.faults] == []
    made = build_deployment(checked.config, checked.bundles).policies
    return {policy.alarm: policy for policy in made.alarms}, made.grouping


def test_without_settings_a_policy_does_nothing(tmp_path):
    found, grouping = policies(tmp_path)
    policy = found["hr-high"]
    assert grouping is None
    assert (policy.on_clear, policy.channels) == (OnClear.END, ("hr",))
    assert (policy.escalate, policy.remind_ns, policy.re_alarm_ns, policy.inhibits) == ((), None, None, ())
    assert found["odd"].channels == found["gone"].channels == ()


def test_an_entry_wins_over_what_its_category_has(tmp_path):
    defaults = {
        "physiological": {"on_clear": "acknowledge", "remind_s": "2 min", "escalate": [{"after_s": 60, "to": "high"}]},
        "technical": {"on_clear": "latch", "chattering": {"shelve_s": "10 min"}},
    }
    own = {
        "priority": "medium",
        "remind_s": None,
        "re_alarm_s": "30 min",
        "chattering": {"off_delay_s": 30},
        "inhibits": [{"alarm": "o*", "equal": ["ward"]}],
    }
    found, _ = policies(tmp_path, own, alarms=defaults)
    policy = found["hr-high"]
    assert policy.on_clear is OnClear.ACKNOWLEDGE
    assert policy.escalate == (Escalation(60 * S, Priority.HIGH),)
    assert policy.remind_ns is None  # null in the configuration
    assert policy.re_alarm_ns == 1800 * S
    assert (policy.chatter_off_delay_ns, policy.chatter_shelve_ns) == (30 * S, None)
    assert policy.inhibits == (Inhibition("o*", ("ward",)),)
    assert found["odd"].remind_ns == 120 * S
    assert (found["gone"].on_clear, found["gone"].chatter_shelve_ns) == (OnClear.LATCH, 600 * S)


def test_groups(tmp_path):
    _, grouping = policies(tmp_path, groups={"by": ["ward"], "flood": {"begin": 12, "except_priorities": ["high"]}})
    assert grouping == Grouping(("ward",), 12, 5, 600 * S, frozenset({Priority.HIGH}))

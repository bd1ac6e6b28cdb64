"""What a configuration says of handling is what the register does."""

from __future__ import annotations

import configurations
from tocsin.alarm import Escalation, Grouping, Inhibition, OnClear
from tocsin.app.build import setup
from tocsin.config import check
from tocsin.engine.changes import Priority

S = 10**9


def plans(tmp_path, alarm=None, **changes):
    watches = {"ward": {"alarms": {"hr-high": alarm or {}, "gone": {"silent": {"for_s": 5}}}}}
    checked = check(configurations.write(tmp_path, watches=watches, **changes))
    assert [str(fault) for fault in checked.faults] == []
    made = setup(checked.config, checked.bundles).plans
    return {plan.alarm: plan for plan in made.alarms}, made.grouping


def test_nothing_said_is_nothing_done(tmp_path):
    found, grouping = plans(tmp_path)
    plan = found["hr-high"]
    assert grouping is None
    assert (plan.on_clear, plan.channels) == (OnClear.END, ("hr",))
    assert (plan.escalate, plan.remind_ns, plan.re_alarm_ns, plan.inhibits) == ((), None, None, ())
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
    found, _ = plans(tmp_path, own, alarms=defaults)
    plan = found["hr-high"]
    assert plan.on_clear is OnClear.ACKNOWLEDGE
    assert plan.escalate == (Escalation(60 * S, Priority.HIGH),)
    assert plan.remind_ns is None  # said to be none
    assert plan.re_alarm_ns == 1800 * S
    assert (plan.chatter_off_delay_ns, plan.chatter_shelve_ns) == (30 * S, None)
    assert plan.inhibits == (Inhibition("o*", ("ward",)),)
    assert found["odd"].remind_ns == 120 * S
    assert (found["gone"].on_clear, found["gone"].chatter_shelve_ns) == (OnClear.LATCH, 600 * S)


def test_groups(tmp_path):
    _, grouping = plans(tmp_path, groups={"by": ["ward"], "flood": {"begin": 12, "spare": ["high"]}})
    assert grouping == Grouping(("ward",), 12, 5, 600 * S, frozenset({Priority.HIGH}))

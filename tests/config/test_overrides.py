"""Overrides are checked, and each fault has its line."""

from __future__ import annotations

import re
from textwrap import indent

import pytest
import toy_bundle
from typer.testing import CliRunner

from tocsin.cli import build
from tocsin.config import check
from tocsin.runtime.build import build_deployment

RATES = {"thresholds": [0.1, 0.2, 0.3], "per_day": [100, 10, 1], "on_delay_ticks": 0, "off_delay_ticks": 0}
CURVE = {"stream_days": 50, "streams": 10, "data": "toys", "rates": [RATES]}
TEXT = """\
sources:
  - topic: vitals/{ward}/{bed}
watches:
  ward:
    model: toy
    alarms:
      hr-high: {above: {channel: hr, limit: 120}}
      spo2-low: {below: {channel: spo2, limit: 90}}
      odd: {anomaly: {threshold: 0.25}}
      silent: {silent: {for_s: 30}}
    overrides:
"""


@pytest.fixture
def checked(tmp_path):
    """Check overrides, which begin at line 12."""
    toy_bundle.write(tmp_path / "toy", calibration=toy_bundle.MANIFEST["calibration"] | {"curve": CURVE})
    risk = {"scale": "probability", "threshold": 0.25, "chosen_by": "hand"}
    toy_bundle.write(tmp_path / "risk", task="alarm", calibration=risk)

    def write(text, model="toy"):
        file = tmp_path / "tocsin.yaml"
        configured = TEXT.replace("model: toy", f"model: {model}")
        if model == "risk":
            configured = configured.replace("anomaly", "probability")
        file.write_text(configured + indent(text, "      "))
        return check(file)

    return write


def test_sound_overrides_become_the_engines(checked):
    found = checked(
        '- streams: "paediatric/*"\n'
        "  limits: {hr-high: 160, odd: 0.28}\n"
        "  profile: {news2_scale: 2, oxygen: true}\n"
        '- {streams: ["icu/3", "icu/4"], budgets: {odd: 10}, off: [silent]}\n'
    )
    assert found.faults == []
    first, second = build_deployment(found.config, found.bundles).runtimes["ward"].engine.watch.overrides
    assert (first.streams, first.limits, first.off) == (("paediatric/*",), {"hr-high": 160, "odd": 0.28}, ())
    assert first.profile == {"news2_scale": 2, "oxygen": 1}
    assert (second.streams, second.limits, second.off) == (
        ("icu/3", "icu/4"),
        {"odd": pytest.approx(0.2)},
        ("silent",),
    )


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("{streams: a}", "0: overrides nothing: give limits, budgets, profile, off or adapt"),
        ("{streams: a, limits: {}, off: []}", "0: overrides nothing: give limits, budgets, profile, off or adapt"),
        ("{off: [odd]}", "0.streams: is missing"),
        ("{streams: [], off: [odd]}", "0.streams: needs at least one entry"),
        ('{streams: "", off: [odd]}', "0.streams.*: String should have at least 1 character"),
        ('{streams: [a, ""], off: [odd]}', "0.streams.1: String should have at least 1 character"),
        ("{streams: a, of: [odd]}", "0.of: is not a known key"),
        (
            "{streams: a, limits: {hr-hihg: 130}}",
            "0.limits.hr-hihg: watch ward has no alarm 'hr-hihg' (it has: hr-high, spo2-low, odd, silent)",
        ),
        ("{streams: a, budgets: {even: 1}}", "0.budgets.even: watch ward has no alarm 'even'"),
        ("{streams: a, off: [odd, even]}", "0.off.1: watch ward has no alarm 'even' (it has: hr-high"),
        (
            "{streams: a, limits: {silent: 30}}",
            "0.limits.silent: alarm 'silent': silent has no limit (legal: hr-high, spo2-low, odd)",
        ),
        (
            "{streams: a, limits: {hr-high: 400}}",
            "0.limits.hr-high: alarm 'hr-high': limit 400 is not plausible (legal: 0 to 300 /min)",
        ),
        ("{streams: a, limits: {spo2-low: -1}}", "0.limits.spo2-low: alarm 'spo2-low': limit -1 is not plausible"),
        ("{streams: a, limits: {hr-high: .inf}}", "0.limits.hr-high: Input should be a finite number"),
        ("{streams: a, limits: {hr-high: fast}}", "0.limits.hr-high: Input should be a valid number"),
        (
            "{streams: a, budgets: {hr-high: 1}}",
            "0.budgets.hr-high: alarm 'hr-high': above has no budget (legal: anomaly, probability)",
        ),
        ("{streams: a, budgets: {odd: 0}}", "0.budgets.odd: Input should be greater than 0"),
        ("{streams: a, budgets: {odd: 200}}", "0.budgets.odd: 200 a stream-day is more than the 100"),
        (
            "{streams: a, profile: {shoe: 44}}",
            "0.profile.shoe: 'shoe' is no part of a profile (legal: news2_scale, oxygen, alert)",
        ),
        ("{streams: a, profile: {news2_scale: 3}}", "0.profile.news2_scale: news2_scale 3 (legal: 1 or 2)"),
        (
            "{streams: a, limits: {hr-high: 130}, off: [hr-high]}",
            "0: hr-high is named twice: an alarm has a limit, or a budget, or is off",
        ),
        ("{streams: a, limits: {odd: 1}, budgets: {odd: 1}}", "0: odd is named twice"),
    ],
)
def test_a_fault_has_its_line(checked, override, fault):
    (found,) = (str(entry) for entry in checked(f"- {override}\n").faults)
    pattern = re.escape(f"12: watches.ward.overrides.{fault}").replace(r"\.\*", ".*")
    assert re.search(pattern, found), found


def test_each_fault_of_several_entries_has_its_own_line(checked):
    found = checked(
        '- streams: "a/*"\n'
        "  limits:\n"
        "    hr-high: 130\n"
        "    spo2-low: 120\n"
        "- streams: b\n"
        "  off:\n"
        "    - odd\n"
        "    - even\n"
    )
    assert [str(fault).rpartition("tocsin.yaml:")[2].split(": ")[:2] for fault in found.faults] == [
        ["15", "watches.ward.overrides.0.limits.spo2-low"],
        ["19", "watches.ward.overrides.1.off.1"],
    ]


def test_a_probabilitys_threshold_is_a_probability(checked):
    assert checked("- {streams: a, limits: {odd: 0.5}}\n", model="risk").faults == []
    (fault,) = checked("- {streams: a, limits: {odd: 1.5}}\n", model="risk").faults
    assert (
        "12: watches.ward.overrides.0.limits.odd: alarm 'odd': 1.5 is no probability (legal: between 0 and 1)"
        in str(fault)
    )


def test_overrides_are_checked_as_far_as_that_goes_without_the_bundle(checked):
    faults = checked("- {streams: a, limits: {even: 1, hr-high: 400}, profile: {shoe: 44}}\n", model="none").faults
    assert [fault.path for fault in faults] == ["watches.ward.model", "watches.ward.overrides.0.limits.even"]


def test_check_prints_what_the_budget_of_an_override_comes_to(checked, tmp_path):
    checked('- {streams: ["icu/3", "icu/4"], budgets: {odd: 10}}\n')
    result = CliRunner().invoke(build(), ["check", str(tmp_path / "tocsin.yaml")])
    assert result.exit_code == 0
    assert (
        "watch ward: alarm odd of icu/3, icu/4: a budget of 10 a stream-day is a threshold of 0.2 ("
    ) in result.stdout.replace("\n", " ")

"""`adapt` and `drift` in a configuration: what they come to, and what a bundle must know for them."""

from __future__ import annotations

import pytest
import toy_bundle

from tocsin.config import check
from tocsin.engine.conditions.adaptation import Adaptation
from tocsin.runtime.build import build_adaptation

TEXT = """\
sources:
  - topic: vitals/{bed}
watches:
  ward:
    model: MODEL
    adapt: ADAPT
    alarms:
      odd: {KIND}
"""


@pytest.fixture
def checked(tmp_path):
    toy_bundle.write_with_statistics(tmp_path / "toy")
    toy_bundle.write(tmp_path / "bare")

    def write(model, adapt, kind="anomaly: {}"):
        file = tmp_path / "tocsin.yaml"
        file.write_text(TEXT.replace("MODEL", model).replace("ADAPT", adapt).replace("KIND", kind))
        return check(file)

    return write


@pytest.mark.parametrize(
    ("adapt", "made"),
    [
        ("false", None),
        ("true", Adaptation(middle=60.0, high=90.0, max_ratio=4.0, settle_ticks=3600, step=0.0001)),
        (
            "{max_ratio: 2, settle_s: 2 h, max_rise_per_hour: 0.72}",
            Adaptation(middle=60.0, high=90.0, max_ratio=2.0, settle_ticks=7200, step=0.0002),
        ),
    ],
)
def test_what_is_asked_for_comes_with_what_the_bundle_knows(checked, adapt, made):
    found = checked("toy", adapt)
    assert found.faults == []
    assert build_adaptation(found.config.watches["ward"].adapt, found.bundles["ward"]) == made


@pytest.mark.parametrize(
    ("model", "adapt", "kind", "fault"),
    [
        ("bare", "true", "anomaly: {}", "6: watches.ward.adapt: adapt needs statistics of the score"),
        ("toy", "true", "drift: {}", "6: watches.ward.adapt: adapts nothing: no alarm of this watch is an anomaly"),
        (
            "toy",
            "false\n    overrides: [{streams: icu/3, adapt: false}]",
            "anomaly: {}",
            "7: watches.ward.overrides.0.adapt: watch ward adapts no threshold: leave adapt out here",
        ),
        ("toy", "{max_ratio: 1}", "anomaly: {}", "6: watches.ward.adapt"),
        (
            "toy",
            "{settle_s: 30 s}",
            "anomaly: {}",
            "6: watches.ward.adapt.settle_s: 30 is 30 ticks of toy, too few",
        ),
        ("toy", "{mosst: 2}", "anomaly: {}", "6: watches.ward.adapt.mosst: is not a known key"),
        (
            "toy",
            "3",
            "anomaly: {}",
            "6: watches.ward.adapt: should be true, false, or any of max_ratio, settle_s, max_rise_per_hour",
        ),
        ("toy", "true", "anomaly: {threshold: 0}", "8: watches.ward.alarms.odd.anomaly.threshold: 0 can't be adapted"),
        (
            "toy",
            "true",
            "any_of: [{anomaly: {threshold: -1}}, {below: {channel: hr, limit: 50}}]",
            "8: watches.ward.alarms.odd.any_of.0.anomaly.threshold: -1 can't be adapted",
        ),
        ("toy", "false", "drift: {settle_s: 1 s}", "8: watches.ward.alarms.odd.drift.settle_s: 1 is 1 ticks of toy"),
        ("bare", "false", "drift: {}", "8: watches.ward.alarms.odd.drift: drift needs statistics of the score"),
    ],
)
def test_what_cannot_be_is_a_fault(checked, model, adapt, kind, fault):
    assert any(fault in str(found) for found in checked(model, adapt, kind).faults)


def test_a_threshold_of_one_stream_that_cannot_be_adapted_is_a_fault(checked):
    overrides = "true\n    overrides: [{streams: icu/3, limits: {odd: -2}}]"
    [fault] = checked("toy", overrides).faults
    assert "7: watches.ward.overrides.0.limits.odd: -2 can't be adapted" in str(fault)

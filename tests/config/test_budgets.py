"""`budget` in an alarm is a threshold that the bundle's curve knows; faults have their lines."""

from __future__ import annotations

import re

import pytest
import toy_bundle
from typer.testing import CliRunner

from tocsin.bundle import load
from tocsin.cli import build
from tocsin.config import check
from tocsin.runtime.build import build_alarms

RATES = {"thresholds": [0.1, 0.2, 0.3], "per_day": [100, 10, 1], "on_delay_ticks": 0, "off_delay_ticks": 0}
TAIL = {"threshold": 0.3, "per_day": 1, "shape": 0, "scale": 0.2, "peaks": 50}
CURVE = {"stream_days": 50, "streams": 10, "data": "toys", "rates": [RATES | {"tail": TAIL}]}
TEXT = """\
sources:
  - topic: vitals/{bed}
watches:
  ward:
    model: MODEL
    alarms:
      odd:
        KIND: {budget: BUDGET}
        on_delay_s: 5
"""


@pytest.fixture
def checked(tmp_path):
    def calibration(scale, **more):
        return {"scale": scale, "threshold": 0.25, "chosen_by": "hand", **more}

    toy_bundle.write(tmp_path / "toy", calibration=calibration("surprise", curve=CURVE))
    toy_bundle.write(tmp_path / "risk", task="alarm", calibration=calibration("probability", curve=CURVE))
    toy_bundle.write(tmp_path / "bare", calibration=calibration("surprise"))

    def write(model, budget, kind="anomaly"):
        file = tmp_path / "tocsin.yaml"
        file.write_text(TEXT.replace("MODEL", model).replace("BUDGET", str(budget)).replace("KIND", kind))
        return file

    return write


def test_a_budget_becomes_the_curves_threshold(checked, tmp_path):
    for model, kind in (("toy", "anomaly"), ("risk", "probability")):
        found = check(checked(model, 10, kind))
        assert found.faults == []
        (alarm,) = build_alarms(found.config.watches["ward"], load(tmp_path / model))
        assert alarm.condition.threshold == pytest.approx(0.2)


@pytest.mark.parametrize(("period_s", "budget"), [(10, 1), (0.1, 100)])
def test_with_other_ticks_a_day_has_others_many(checked, tmp_path, period_s, budget):
    """Ten times as long: a tenth as many ticks a day, and so ten times the budget by the curve's own days."""
    calibration = {"scale": "surprise", "threshold": 0.25, "chosen_by": "hand", "curve": CURVE}
    toy_bundle.write(tmp_path / "any", calibration=calibration, any_period=True)
    file = checked("any", budget)
    file.write_text(file.read_text().replace("model: any", f"model: any\n    period_s: {period_s}"))
    found = check(file)
    assert found.faults == []
    (alarm,) = build_alarms(found.config.watches["ward"], found.bundles["ward"])
    assert alarm.condition.threshold == pytest.approx(0.2)

    file.write_text(file.read_text().replace(f"budget: {budget}", f"budget: {budget * 20}"))
    (fault,) = check(file).faults
    assert "is 200 with the 1 s that the curve was counted with: 200 a stream-day is more than" in str(fault)


def test_check_prints_what_a_budget_comes_to(checked):
    result = CliRunner().invoke(build(), ["check", str(checked("toy", 10))])
    assert result.exit_code == 0
    assert (
        "watch ward: alarm odd: a budget of 10 a stream-day is a threshold of 0.2 (50 stream-days of toys, "
        "delays of 0 and 0 ticks)\n"
    ) in result.stdout
    result = CliRunner().invoke(build(), ["check", str(checked("toy", 0.5))])
    assert "threshold of 0.438629 (" in result.stdout
    assert "from a fitted tail" in result.stdout


@pytest.mark.parametrize(
    ("model", "kind", "budget", "fault"),
    [
        ("toy", "anomaly", 200, "8: watches.ward.alarms.odd.anomaly.budget: 200 a stream-day is more than the 100"),
        ("toy", "anomaly", 0.0001, "8: watches.ward.alarms.odd.anomaly.budget: 0.0001 a stream-day is too rare"),
        ("toy", "anomaly", -1, "8: watches.ward.alarms.odd.anomaly.budget: Input should be greater than 0"),
        ("toy", "anomaly", "1, threshold: 2", "8: watches.ward.alarms.odd.anomaly: threshold and budget exclude each"),
        ("bare", "anomaly", 1, "8: watches.ward.alarms.odd.anomaly.budget: toy/1 has no curve of false alarms: set"),
        (
            "risk",
            "probability",
            0.01,
            "8: watches.ward.alarms.odd.probability.budget: 0.01 a .* no probability reaches",
        ),
    ],
)
def test_a_budget_that_cannot_be_kept_is_a_fault(checked, model, kind, budget, fault):
    file = checked(model, budget, kind)
    (found,) = (str(entry) for entry in check(file).faults)
    assert re.match(re.escape(f"{file}:") + fault, found), found

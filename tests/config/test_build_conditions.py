"""Every condition that a configuration can ask for becomes the engine's."""

from __future__ import annotations

from textwrap import dedent

import pytest
import toy_bundle
from ruamel.yaml import YAML

from tocsin.bundle import load
from tocsin.config.schema import AlarmEntry
from tocsin.config.thresholds import condition_of
from tocsin.engine.conditions.absent import Absent
from tocsin.engine.conditions.combination import AllOf, AnyOf
from tocsin.engine.conditions.drift import Drift
from tocsin.engine.conditions.flatline import Flatline
from tocsin.engine.conditions.forecast import Forecast
from tocsin.engine.conditions.implausible import Implausible
from tocsin.engine.conditions.limit import Above, Below
from tocsin.engine.conditions.news2 import EarlyWarning
from tocsin.engine.conditions.news2_chart import PARAMETERS
from tocsin.engine.conditions.score import ScoreAbove
from tocsin.engine.conditions.silent import Silent
from tocsin.engine.conditions.trend import Trend

S = 1_000_000_000
HR, SPO2 = 0, 1


@pytest.fixture
def bundle(tmp_path):
    return load(toy_bundle.write_seq2seq(tmp_path / "toy"))


@pytest.mark.parametrize(
    ("configured", "condition"),
    [
        ("anomaly: {}", ScoreAbove(100)),
        ("anomaly: {threshold: 7}", ScoreAbove(7)),
        ("above: {channel: hr, limit: 120, deadband: 5}", Above(HR, 120, 5)),
        ("below: {channel: spo2, limit: 90}", Below(SPO2, 90, 0)),
        ("rises: {channel: hr, by: 20, within_s: 1 min}", Trend(HR, 20, 60 * S, rising=True)),
        ("falls: {channel: spo2, by: 4, within_s: 30}", Trend(SPO2, 4, 30 * S, rising=False)),
        ("forecast: {channel: spo2, below: 88, probability: 0.8}", Forecast(SPO2, 88, rising=False, probability=0.8)),
        ("forecast: {channel: hr, above: 0, probability: 0.8}", Forecast(HR, 0, rising=True, probability=0.8)),
        ("absent: {channel: hr, for_s: 5}", Absent(HR, 5 * S)),
        ("flatline: {channel: hr, for_s: 5}", Flatline(HR, 0, 5 * S)),
        ("flatline: {channel: hr, for_s: 5, band: 0.5}", Flatline(HR, 0.5, 5 * S)),
        ("implausible: {channel: spo2, for_s: 5}", Implausible(SPO2, 5 * S)),
        ("implausible: {channel: spo2, for_s: 5, share: 0.25}", Implausible(SPO2, 5 * S, 0.25)),
        ("silent: {for_s: 5}", Silent(5 * S)),
        (
            "all_of: [{above: {channel: hr, limit: 120}}, {anomaly: {}}]",
            AllOf((Above(HR, 120, 0), ScoreAbove(100))),
        ),
        (
            "any_of: [{absent: {channel: hr, for_s: 5}}, {flatline: {channel: hr, for_s: 5}}]",
            AnyOf((Absent(HR, 5 * S), Flatline(HR, 0, 5 * S))),
        ),
    ],
)
def test_as_configured(bundle, configured, condition):
    assert condition_of(_alarm(configured), bundle) == condition


def test_drift_is_counted_in_the_noise_of_the_bundle(tmp_path):
    condition = condition_of(
        _alarm("drift: {slack: 2, settle_s: 1 h}"), load(toy_bundle.write_with_statistics(tmp_path / "toy"))
    )
    assert condition == Drift(noise=0.5, slack=2, limit=4, settle_ns=3600 * S)


def test_the_early_warning_score_finds_its_channels(bundle):
    alarm = _alarm("news2: {at_least: 7, single: false, pulse: hr, spo2: spo2, oxygen: true, scale: 2, max_age_s: 1 h}")
    condition = condition_of(alarm, bundle)
    assert isinstance(condition, EarlyWarning)
    channels = dict(zip(PARAMETERS, condition.parameter_channels, strict=True))
    constants = dict(zip(PARAMETERS, condition.constants, strict=True))
    assert {name: c for name, c in channels.items() if c is not None} == {"spo2": SPO2, "pulse": HR}
    assert {name: c for name, c in constants.items() if c is not None} == {"oxygen": 1.0}
    assert (condition.at_least, condition.single, condition.scale, condition.scale_channel) == (7, False, 2, None)
    assert condition.max_age_ns == 3600 * S


def _alarm(text):
    return AlarmEntry.model_validate(YAML(typ="safe").load(dedent(text)))

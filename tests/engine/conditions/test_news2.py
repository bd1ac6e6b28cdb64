"""The NEWS2 condition on a small stream: exact events and reasons."""

from __future__ import annotations

import numpy as np
from counting_watch import AGE, START, alarm, early_warning, engine, happened, play, reasons

from tocsin.engine import Readings


def test_news2_holds_by_its_lower_bound_and_the_reason_names_what_is_missing():
    watching = engine(alarm("news2", early_warning()))
    results = play(watching, [{"hr": 80, "spo2": 97}, {"hr": 115, "spo2": 91}, {"hr": 95, "spo2": 97}])
    assert happened(results) == [("bed", "news2", "active", 1), ("bed", "news2", "inactive", 2)]
    unknown = "respiration, oxygen, systolic, alert, temperature"
    assert reasons(results) == [
        f"NEWS2 at least 5: spo2 3, pulse 2; without {unknown}",
        f"NEWS2 at least 1, no longer calls for a response; without {unknown}",
    ]


def test_three_points_in_one_parameter_are_enough_where_they_are_configured():
    watching = engine(alarm("five", early_warning()), alarm("single", early_warning(single=True)))
    results = play(watching, [{"hr": 80, "spo2": 90}])
    assert happened(results) == [("bed", "single", "active", 0)]
    assert reasons(results)[0].startswith("NEWS2 at least 3 (3 in one): spo2 3; without ")


def test_a_configured_constant_counts():
    on_oxygen = early_warning(constants=(None, None, 1.0, None, None, 1.0, None), at_least=4)
    watching = engine(alarm("news2", on_oxygen))
    results = play(watching, [{"hr": 80, "spo2": 93}])
    assert reasons(results) == ["NEWS2 at least 4: spo2 2, oxygen 2; without respiration, systolic, temperature"]


def test_the_scale_can_be_the_patients_own():
    """The toy has one static channel; here it says the scale."""
    watching = engine(alarm("news2", early_warning(single=True, scale_channel=AGE)))
    rows = [("one", START, {"age": 1}), ("two", START, {"age": 2})]
    rows += [(bed, START, {"hr": 80, "spo2": 90}) for bed in ("one", "two")]
    assert happened([watching.apply(Readings.of(rows), START)]) == [("one", "news2", "active", 0)]


def test_a_profile_gives_what_no_channel_does():
    """A person set it for one bed; what is configured holds for the other."""
    watching = engine(alarm("news2", early_warning(at_least=4, constants=(None, None, 0.0, None, None, 1.0, None))))
    watching.table.rows(["one", "two"])
    watching.table.profile[1] = [2, 1, np.nan]
    rows = [(bed, START, {"hr": 95, "spo2": 94}) for bed in ("one", "two")]
    (change,) = watching.apply(Readings.of(rows), START).events
    assert change.stream == "two"
    assert change.report.reason.startswith("NEWS2 at least 4: oxygen 2, spo2 1, pulse 1; without")


def test_the_last_values_count_until_they_are_too_old_and_then_nothing_clears():
    watching = engine(alarm("news2", early_warning(at_least=3)), frame_timeout_s=0)
    low = {"hr": 115, "spo2": 93}
    only_pulse = [{"hr": 80}] * 12
    results = play(watching, [low, *only_pulse, {"hr": 80, "spo2": 97}])
    # From second 1 on the pulse gives none of the 4 points. SpO2's 2 are too few, and known for 10 s.
    assert happened(results) == [("bed", "news2", "active", 0), ("bed", "news2", "inactive", 1)]

    watching = engine(alarm("news2", early_warning(at_least=3)), frame_timeout_s=0)
    results = play(watching, [{"hr": 80, "spo2": 90}, *only_pulse, {"hr": 80, "spo2": 97}])
    assert happened(results) == [
        ("bed", "news2", "active", 0),
        ("bed", "news2", "uncertain", 11),
        ("bed", "news2", "inactive", 13),
    ]
    assert reasons(results)[1] == "NEWS2 is unknown now: no recent spo2"


def test_a_missing_value_that_could_not_reach_the_score_does_not_keep_it_unknown():
    watching = engine(alarm("news2", early_warning(at_least=5)), frame_timeout_s=0)
    results = play(watching, [{"hr": 115, "spo2": 91}, {"hr": 80, "spo2": 91}, *[{"hr": 80}] * 20])
    assert happened(results) == [("bed", "news2", "active", 0), ("bed", "news2", "inactive", 1)]

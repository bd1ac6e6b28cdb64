"""Limit conditions with a stream's own limit."""

from __future__ import annotations

import numpy as np
from counting_watch import HR, SPO2, alarm, engine, happened, play, reasons

from tocsin.engine.conditions.limit import Above, Below


def test_a_streams_own_limit_holds_for_it_alone():
    watching = engine(alarm("hr-high", Above(HR, 120, 0)), alarm("spo2-low", Below(SPO2, 90, 0)))
    watching.table.rows(["athlete", "other"])
    watching.table.stream_limit[0] = [np.nan, 85]
    for bed in ("athlete", "other"):
        results = play(watching, [{"hr": 80, "spo2": 88}], stream=bed)
        assert happened(results) == ([] if bed == "athlete" else [("other", "spo2-low", "active", 0)])
    results = play(watching, [None, {"hr": 80, "spo2": 84}], stream="athlete")
    assert reasons(results) == ["spo2 84 % is below 85"]

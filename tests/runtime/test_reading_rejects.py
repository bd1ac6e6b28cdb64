"""What the engine refuses is named once a stream and batch, with the value and what would be legal."""

from __future__ import annotations

from counting_watch import START, S, engine, model

from tocsin.engine import Readings
from tocsin.runtime.sources import reading_rejects


def refused(watching, rows, now=START):
    batch = Readings.of(rows)
    engine_result = watching.apply(batch, now)
    made = reading_rejects(batch, engine_result, model(), "vitals/{bed}")
    return sorted((r.reason.value, r.stream, r.count, r.detail) for r in made)


def test_implausible_values():
    rows = [("a", START, {"hr": 612.0, "spo2": -0.1}), ("b", START, {"hr": 80.0}), ("a", START + S, {"hr": 999.0})]
    assert refused(engine(), rows) == [
        ("implausible", "a", 3, "hr=612 is not in 0..300 /min, spo2=-0.1 is not in 0..100 %")
    ]


def test_late_readings():
    reading = ("a", START, {"hr": 80.0, "spo2": 97.0})
    assert refused(engine(), [reading] * 3) == [("late", "a", 2, f"t={START} ns: the frame of its tick has closed")]


def test_too_many_streams():
    rows = [(name, START, {"hr": 80.0}) for name in "abcb"]
    detail = "a new stream, and max_streams are known already"
    assert refused(engine(max_streams=1), rows) == [
        ("too_many_streams", "b", 2, detail),
        ("too_many_streams", "c", 1, detail),
    ]

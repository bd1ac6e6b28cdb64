"""Clocks of sensors may be wrong, and clocks are set back an hour: the time of a stream continues."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from counting_watch import S, alarm, engine, happened

from tocsin.engine.conditions.limit import Above
from tocsin.engine.conditions.silent import Silent
from tocsin.ingest.decoder import Decoder, FieldSettings, SourceSettings
from tocsin.ingest.message import Message

FIELDS = (FieldSettings("hr", "hr"), FieldSettings("spo2", "spo2"))
DECODER = Decoder(SourceSettings("vitals/{bed}", "{bed}", fields=FIELDS))


def applied(watching, decoder, readings):
    """Pass readings, each (arrival time, stated time, hr), through the decoder and the engine."""
    outcomes, rejects = [], []
    for came, t, hr in readings:
        now = round(came.timestamp() * S)
        body = json.dumps({"t": t, "hr": hr, "spo2": 97}).encode()
        decoded = decoder.decode([Message("vitals/bed", body, now, retain=False)], now)
        rejects += [reject.reason for reject in decoded.rejects]
        outcomes.append(watching.apply(decoded.readings, now))
    return outcomes, rejects


def test_a_time_in_the_future_is_rejected_without_delaying_later_readings():
    watching = engine(alarm("hr-high", Above(0, 120, 0)), lateness_s=2, frame_timeout_s=10)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    times = [start + timedelta(seconds=k) for k in range(10)]
    readings = [(came, came.isoformat(), 80) for came in times]
    readings[4:4] = [(times[4], (times[4] + timedelta(days=400)).isoformat(), 200)]
    outcomes, rejects = applied(watching, DECODER, readings)
    assert rejects == ["time"]
    assert sum(outcome.accepted for outcome in outcomes) == 10
    assert not any(outcome.rejected for outcome in outcomes)
    assert happened(outcomes) == []


def test_a_change_of_summer_time_misses_doubles_or_delays_no_tick():
    """Local times with their offset, an hour around 02:00 and 03:00."""
    zone = ZoneInfo("Europe/Berlin")
    for change in (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)):
        watching = engine(alarm("silent", Silent(90 * S)), frame_timeout_s=10)
        times = [change + timedelta(minutes=k) for k in range(-60, 61)]
        readings = [(came, came.astimezone(zone).isoformat(), 80) for came in times]
        outcomes, rejects = applied(watching, DECODER, readings)
        ticks = [int(steps.tick[0]) for outcome in outcomes for steps in outcome.steps]
        assert ticks == [round(came.timestamp()) for came in times]
        assert rejects == []
        assert happened(outcomes) == []

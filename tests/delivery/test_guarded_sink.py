"""A sink of another package that raises, or makes something odd, harms no alarm."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from alarm_events import event
from numbered_deliveries import numbered

from tocsin.delivery import DeliveryResult, DeliveryStatus, GuardedSink, Sink


class Broken(Sink):
    """Raises wherever it can, or makes what it is given."""

    name = "broken"

    def __init__(self, made=None):
        self._made = made

    def payload_for(self, _):
        if self._made is None:
            raise KeyError("ward")
        return self._made

    def restore(self, _):
        raise KeyError("ward")

    async def run(self):
        raise KeyError("ward")

    async def close(self):
        raise KeyError("ward")


SOUND = numbered(1, sink="broken")
UNSTORABLE = [
    replace(SOUND, key=None),
    replace(SOUND, key="bed-\ud800"),
    replace(SOUND, event_id=None),
    replace(SOUND, event_id=2**63),
    replace(SOUND, body={"alarm": "hr-high"}),
    replace(SOUND, replaces=None),
]


@pytest.mark.parametrize(
    "made", [None, 7, [b"payload"], [numbered(1, sink="mqtt")], *([SOUND, delivery] for delivery in UNSTORABLE)]
)
def test_an_event_without_a_sound_payload_counts_as_rejected(made, caplog):
    reports = []
    sink = GuardedSink("broken", Broken(made), lambda *report: reports.append(report))
    assert sink.payload_for(event(id=7)) == []
    assert reports == [("broken", DeliveryStatus.REJECTED)]
    assert "broken: event 7 has no payload" in caplog.text


async def test_what_a_sink_raises_at_other_times_is_logged(caplog):
    sink = GuardedSink("broken", Broken(), lambda *_: None)
    sink.restore(event())
    await sink.run()
    await sink.close()
    assert [record.message for record in caplog.records] == [
        "broken: alarm icu/1/desaturation is not restored",
        "broken: its background work has ended",
        "broken: its connections are not closed",
    ]


def test_sound_deliveries_pass():
    deliveries = [numbered(1, sink="sound"), numbered(2, sink="sound")]
    assert GuardedSink("sound", Broken(deliveries), lambda *_: None).payload_for(event()) == deliveries


class Answers(Sink):
    """Gives the result that it was made with."""

    name = "answers"

    def __init__(self, result):
        self._result = result

    def payload_for(self, _):
        return []

    async def send(self, _):
        return self._result


@pytest.mark.parametrize(
    "result",
    [
        None,
        True,
        DeliveryResult("gone"),
        DeliveryResult(DeliveryStatus.RETRY, "busy", math.nan),
        DeliveryResult(DeliveryStatus.RETRY, "busy", "soon"),
    ],
)
async def test_a_result_that_means_nothing_is_a_failed_attempt(result):
    with pytest.raises((TypeError, ValueError)):
        await GuardedSink("answers", Answers(result), lambda *_: None).send(numbered(1, sink="answers"))


async def test_a_status_may_be_given_by_its_value():
    sink = GuardedSink("answers", Answers(DeliveryResult("retry", "busy", 3)), lambda *_: None)
    assert await sink.send(numbered(1, sink="answers")) == DeliveryResult(DeliveryStatus.RETRY, "busy", 3)

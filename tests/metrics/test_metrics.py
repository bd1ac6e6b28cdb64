from __future__ import annotations

import dataclasses
import shutil
import subprocess

import pytest
from alarm_events import event
from prometheus_client.parser import text_string_to_metric_families

from tocsin.alarm import State, Transition
from tocsin.alarm.registry import AlarmCounts
from tocsin.engine.events import Category, Priority
from tocsin.engine.model import Model, Task
from tocsin.engine.result import ReadingReject
from tocsin.ingest.reject import Reject, RejectReason
from tocsin.metrics.metrics import ConnectionStatistics, Metrics

MODEL = Model("ward", "1.0.0", "ab" * 32, Task.FORECAST, (), 1, 1, 0, 1, 1.0, 1.0, None)
ALARM = ("desaturation", Priority.HIGH, Category.PHYSIOLOGICAL)
EVENT = event()
FIGURES = ConnectionStatistics(
    connected=True,
    connects_total=1,
    inbox_messages=5,
    inbox_dropped_total=2,
    outbox_messages=3,
    outbox_dropped_total=1,
)


@pytest.fixture
def metrics():
    return Metrics("0.1.0", [MODEL], [ALARM])


def samples(metrics):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def value(metrics, sample, /, **labels):
    return samples(metrics)[sample, tuple(sorted(labels.items()))]


def test_everything_that_can_be_counted_is_there_at_0(metrics):
    for reason in (*RejectReason, *ReadingReject):
        assert value(metrics, "tocsin_rejects_total", reason=reason) == 0
    for transition in Transition:
        labels = {"transition": transition, "priority": "high", "category": "physiological"}
        assert value(metrics, "tocsin_events_total", alarm="desaturation", **labels) == 0
    for priority in Priority:
        for category in Category:
            assert value(metrics, "tocsin_alarms_active", priority=priority, category=category) == 0
    assert value(metrics, "tocsin_frames_stepped_total", model="ward/1.0.0") == 0
    assert value(metrics, "tocsin_mqtt_dropped_total", queue="inbox") == 0
    assert value(metrics, "tocsin_mqtt_dropped_total", queue="outbox") == 0
    assert value(metrics, "tocsin_build_info", version="0.1.0") == 1
    assert value(metrics, "tocsin_model_info", name="ward", version="1.0.0", sha256="ab" * 32) == 1


def test_alarms_by_state_and_what_keeps_them_quiet(metrics):
    states = {State.UNACKNOWLEDGED: 3, State.LATCHED_ACKNOWLEDGED: 1}
    metrics.alarm_counts(AlarmCounts(states, shelved=2, suppressed=4, out_of_service=0, floods=1))
    assert value(metrics, "tocsin_alarms", state="unacknowledged") == 3
    assert value(metrics, "tocsin_alarms", state="latched-acknowledged") == 1
    assert value(metrics, "tocsin_alarms", state="returned") == 0
    assert value(metrics, "tocsin_alarms_quiet", by="shelved") == 2
    assert value(metrics, "tocsin_alarms_quiet", by="suppressed") == 4
    assert value(metrics, "tocsin_alarm_floods") == 1


def test_a_test_alarm_counts_in_no_figure(metrics):
    before = samples(metrics)
    metrics.event(event(test=True, alarm="tocsin-test"), 0.1)
    assert samples(metrics) == before


def test_a_batch(metrics):
    rejects = [Reject(RejectReason.NOT_JSON, "t", None, ""), Reject(RejectReason.WRONG_SHAPE, "t", None, "", 7)]
    rejects.append(Reject(ReadingReject.LATE, "t", "bed", "", 4))
    metrics.batch(messages=100, readings=97, rejects=rejects)
    metrics.applied(0.002)
    metrics.stepped("ward/1.0.0", 50)
    assert value(metrics, "tocsin_messages_received_total") == 100
    assert value(metrics, "tocsin_readings_accepted_total") == 97
    assert value(metrics, "tocsin_rejects_total", reason="not_json") == 1
    assert value(metrics, "tocsin_rejects_total", reason="wrong_shape") == 7
    assert value(metrics, "tocsin_rejects_total", reason="late") == 4
    assert value(metrics, "tocsin_batch_messages_sum") == 100
    assert value(metrics, "tocsin_apply_duration_seconds_bucket", le="0.0025") == 1
    assert value(metrics, "tocsin_apply_duration_seconds_bucket", le="0.001") == 0
    assert value(metrics, "tocsin_frames_stepped_total", model="ward/1.0.0") == 50


def test_an_event_that_no_message_caused_has_no_latency(metrics):
    metrics.event(EVENT, 0.02)
    metrics.event(event(Transition.CLEAR), None)
    labels = {"alarm": "desaturation", "priority": "high", "category": "physiological"}
    assert value(metrics, "tocsin_events_total", transition="raise", **labels) == 1
    assert value(metrics, "tocsin_events_total", transition="clear", **labels) == 1
    assert value(metrics, "tocsin_event_latency_seconds_count") == 1


def test_alarms_that_end_leave_the_gauge(metrics):
    metrics.active_alarms({(Priority.HIGH, Category.PHYSIOLOGICAL): 3})
    assert value(metrics, "tocsin_alarms_active", priority="high", category="physiological") == 3
    metrics.active_alarms({})
    assert value(metrics, "tocsin_alarms_active", priority="high", category="physiological") == 0


def test_totals_of_the_connection_are_followed(metrics):
    metrics.connection(FIGURES)
    metrics.connection(FIGURES)
    metrics.connection(dataclasses.replace(FIGURES, connected=False, inbox_dropped_total=10))
    assert value(metrics, "tocsin_mqtt_connected") == 0
    assert value(metrics, "tocsin_mqtt_connects_total") == 1
    assert value(metrics, "tocsin_mqtt_inbox_messages") == 5
    assert value(metrics, "tocsin_mqtt_outbox_messages") == 3
    assert value(metrics, "tocsin_mqtt_dropped_total", queue="inbox") == 10
    assert value(metrics, "tocsin_mqtt_dropped_total", queue="outbox") == 1


def test_two_have_nothing_in_common(metrics):
    metrics.batch(messages=1, readings=1, rejects=[])
    assert value(Metrics("0.1.0", [], []), "tocsin_messages_received_total") == 0


def test_no_series_names_a_stream(metrics):
    metrics.event(EVENT, 1.0)
    metrics.streams(known=1000, warming_up=3)
    assert b"icu" not in metrics.render()
    assert value(metrics, "tocsin_streams") == 1000


def test_promtool_finds_nothing_to_complain_of(metrics):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    metrics.event(EVENT, 1.0)
    metrics.connection(FIGURES)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.render(), capture_output=True, timeout=30, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")

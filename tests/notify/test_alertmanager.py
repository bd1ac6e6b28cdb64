"""Alerts as a real Alertmanager receives them."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from alarm_events import event
from processes import until

from tocsin.alarm import Transition
from tocsin.config.notify import AlertmanagerEntry
from tocsin.delivery import DeliveryStatus
from tocsin.notify.alertmanager import Alertmanager


def now(**changes):
    t = time.time_ns()
    return event(t=t, since=t, raised_at=t, **changes)


@pytest.fixture
async def client():
    async with httpx.AsyncClient(timeout=5) as made:
        yield made


def cluster(client, *urls):
    options = AlertmanagerEntry(urls=urls, resend_s=60, labels={"site": "north"})
    return Alertmanager("alertmanager", options, client, lambda *_: None)


async def test_alertmanager_takes_what_fires_and_what_is_over(alertmanager, client):
    alertmanager.start()
    sink = cluster(client, alertmanager.url)
    (firing,) = sink.payload_for(now(labels={"ward": "icu"}, reason="SpO2 81 %"))
    assert (await sink.send(firing)).status is DeliveryStatus.DELIVERED
    (fires,) = until(alertmanager.alerts)
    assert fires["labels"] == {
        "alertname": "desaturation",
        "category": "physiological",
        "severity": "high",
        "site": "north",
        "stream": "icu/1",
        "ward": "icu",
        "watch": "ward",
    }
    assert fires["annotations"]["description"] == "SpO2 81 %"
    await asyncio.sleep(0.01)
    (over,) = sink.payload_for(now(transition=Transition.CLEAR, labels={"ward": "icu"}))
    assert (await sink.send(over)).status is DeliveryStatus.DELIVERED
    assert until(lambda: alertmanager.alerts() == [])


async def test_a_pending_alert_that_no_longer_fires_is_not_posted_as_firing(alertmanager, client):
    alertmanager.start()
    sink = cluster(client, alertmanager.url)
    (firing,) = sink.payload_for(now())
    sink.payload_for(now(transition=Transition.CLEAR))
    assert (await sink.send(firing)).status is DeliveryStatus.DELIVERED
    assert alertmanager.alerts() == []


async def test_one_of_a_cluster_is_enough(alertmanager, client):
    alertmanager.start()
    sink = cluster(client, "http://127.0.0.1:9", alertmanager.url)
    assert (await sink.send(*sink.payload_for(now()))).status is DeliveryStatus.DELIVERED
    assert len(until(alertmanager.alerts)) == 1


async def test_an_unreachable_cluster_is_tried_again(client):
    sink = cluster(client, "http://127.0.0.1:9")
    answer = await sink.send(*sink.payload_for(now()))
    assert answer.status is DeliveryStatus.RETRY
    assert answer.reason.startswith("ConnectError")


async def test_a_round_without_alerts_is_no_attempt(client):
    results = []
    options = AlertmanagerEntry(urls=["http://127.0.0.1:9"]).model_copy(update={"resend_s": 0.01})
    sink = Alertmanager("alertmanager", options, client, lambda _, status: results.append(status))
    rounds = asyncio.create_task(sink.run())
    await asyncio.sleep(0.1)
    assert results == []
    sink.payload_for(now())
    async with asyncio.timeout(10):
        while not results:  # noqa: ASYNC110  (nothing else announces a round)
            await asyncio.sleep(0.01)
    rounds.cancel()
    assert set(results) == {DeliveryStatus.RETRY}

"""What receivers get, from real ones."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import httpx
import pytest
from alarm_events import event
from processes import until

from tocsin.alarm import Transition
from tocsin.engine.events import Category, Priority
from tocsin.notify.alertmanager import Alerts
from tocsin.notify.http_post import DeliveryStatus
from tocsin.notify.sinks import Alertmanager, EventFilter, Webhook

EVERYTHING = EventFilter(list(Transition), list(Priority), list(Category))


@dataclass
class Parcel:
    body: bytes
    key: str = "icu/1/desaturation"
    event_id: int = 1


def now(**changes):
    t = time.time_ns()
    return event(t=t, since=t, raised_at=t, **changes)


@pytest.fixture
async def client():
    async with httpx.AsyncClient(timeout=5) as made:
        yield made


def cluster(client, *urls):
    return Alertmanager(urls, Alerts({"site": "north"}, 60), 60, client, lambda *_: None)


async def test_alertmanager_takes_what_fires_and_what_is_over(alertmanager, client):
    alertmanager.start()
    sink = cluster(client, alertmanager.url)
    body = sink.owes(now(labels={"ward": "icu"}, reason="SpO2 81 %"))
    assert (await sink.send(Parcel(body))).fate is DeliveryStatus.DELIVERED
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
    over = sink.owes(now(transition=Transition.CLEAR, labels={"ward": "icu"}))
    assert (await sink.send(Parcel(over))).fate is DeliveryStatus.DELIVERED
    assert until(lambda: alertmanager.alerts() == [])


async def test_what_was_owed_and_no_longer_fires_is_not_told_to_fire(alertmanager, client):
    alertmanager.start()
    sink = cluster(client, alertmanager.url)
    body = sink.owes(now())
    sink.owes(now(transition=Transition.CLEAR))
    assert (await sink.send(Parcel(body))).fate is DeliveryStatus.DELIVERED
    assert alertmanager.alerts() == []


async def test_one_of_a_cluster_is_enough(alertmanager, client):
    alertmanager.start()
    sink = cluster(client, "http://127.0.0.1:9", alertmanager.url)
    assert (await sink.send(Parcel(sink.owes(now())))).fate is DeliveryStatus.DELIVERED
    assert len(until(alertmanager.alerts)) == 1


async def test_nobody_there_is_a_reason_to_try_again(client):
    sink = cluster(client, "http://127.0.0.1:9")
    answer = await sink.send(Parcel(sink.owes(now())))
    assert answer.fate is DeliveryStatus.LATER
    assert answer.why.startswith("ConnectError")


@pytest.mark.parametrize(
    ("status", "headers", "fate", "wait_s"),
    [
        (204, {}, DeliveryStatus.DELIVERED, None),
        (500, {}, DeliveryStatus.LATER, None),
        (401, {}, DeliveryStatus.LATER, None),  # a secret may be corrected
        (
            302,
            {"location": "http://127.0.0.1:9/"},
            DeliveryStatus.LATER,
            None,
        ),  # nothing is sent to where nobody configured it
        (429, {"retry-after": "7"}, DeliveryStatus.LATER, 7.0),
        (503, {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, DeliveryStatus.LATER, 0.0),
        (503, {"retry-after": "soon"}, DeliveryStatus.LATER, None),
        (410, {}, DeliveryStatus.REFUSED, None),
    ],
)
async def test_what_an_answer_means(client, receiver, status, headers, fate, wait_s):
    receiver.answers.append((status, headers))
    hook = Webhook("pager", receiver.url, None, "ward", EVERYTHING, client)
    answer = await hook.send(Parcel(hook.owes(event()), event_id=7))
    assert (answer.fate, answer.wait_s) == (fate, wait_s)
    assert len(receiver.requests) == 1
    assert receiver.requests[0][1]["webhook-id"] == "ward-7"


def test_a_receiver_is_told_what_it_wants():
    wanted = EventFilter([Transition.RAISE], [Priority.HIGH], [Category.PHYSIOLOGICAL])
    hook = Webhook("pager", "http://127.0.0.1:9", None, "ward", wanted, None)
    assert hook.sink == "webhook/pager"
    assert hook.owes(event()) is not None
    assert hook.owes(event(Transition.CLEAR)) is None
    assert hook.owes(event(priority=Priority.LOW)) is None
    assert hook.owes(event(category=Category.TECHNICAL)) is None
    assert hook.owes(event(announced=False)) is None


async def test_a_quiet_time_is_no_attempt_to_tell_anybody(client):
    fates = []
    sink = Alertmanager(["http://127.0.0.1:9"], Alerts({}, 0.01), 0.01, client, lambda _, fate: fates.append(fate))
    rounds = asyncio.create_task(sink.run())
    await asyncio.sleep(0.1)
    assert fates == []
    sink.owes(now())
    async with asyncio.timeout(10):
        while not fates:  # noqa: ASYNC110  (a round is announced by nothing else)
            await asyncio.sleep(0.01)
    rounds.cancel()
    assert set(fates) == {DeliveryStatus.LATER}

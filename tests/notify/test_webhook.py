"""Signed requests, checked by the specification's own library."""

from __future__ import annotations

import base64
import json
import time

import httpx
import pytest
import standardwebhooks
from alarm_events import event

from tocsin.alarm import Transition
from tocsin.config.notify import signing_key
from tocsin.delivery import DeliveryStatus, EventFilter
from tocsin.engine.events import Category, Priority
from tocsin.notify.webhook import Webhook, body, headers

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()

EVERYTHING = EventFilter(list(Transition), list(Priority), list(Category))


def signed(content, *, identity="ward-1", sent_at=None):
    return headers(identity, sent_at or time.time_ns(), content, signing_key(SECRET))


def test_the_specification_s_library_accepts_a_request():
    content = body(event(stream="icu/1", reason="SpO2 81 %"))
    sent = standardwebhooks.Webhook(SECRET).verify(content, signed(content))
    assert (sent["type"], sent["data"]["stream"], sent["data"]["reason"]) == ("alarm.raise", "icu/1", "SpO2 81 %")


@pytest.mark.parametrize("change", ["body", "id", "old"])
def test_the_specification_s_library_refuses_what_was_changed(change):
    content = body(event())
    made = signed(content, sent_at=time.time_ns() - (3_600 * 10**9 if change == "old" else 0))
    if change == "id":
        made["webhook-id"] = "ward-2"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(content + (b" " if change == "body" else b""), made)


def test_an_unsigned_request_carries_an_identity_all_the_same():
    made = headers("ward-7", 1_764_000_000_999_999_999, b"{}", None)
    assert made == {
        "content-type": "application/json",
        "webhook-id": "ward-7",
        "webhook-timestamp": "1764000000",
    }


def test_a_body_names_event_occurrence_and_state():
    sent = json.loads(body(event(Transition.CLEAR, raised_at=1_764_000_000_000_000_000)))
    assert sent["type"] == "alarm.clear"
    assert sent["timestamp"] == "2025-11-24T16:00:00.000Z"
    data = sent["data"]
    assert (data["id"], data["occurrence"], data["transition"], data["state"]) == (1, 1, "clear", "normal")


@pytest.fixture
async def client():
    async with httpx.AsyncClient(timeout=5) as made:
        yield made


@pytest.mark.parametrize(
    ("status", "headers", "result", "wait_s"),
    [
        (204, {}, DeliveryStatus.DELIVERED, None),
        (500, {}, DeliveryStatus.RETRY, None),
        (401, {}, DeliveryStatus.RETRY, None),  # a secret may be corrected
        # Nothing is sent to a place that is not configured.
        (302, {"location": "http://127.0.0.1:9/"}, DeliveryStatus.RETRY, None),
        (429, {"retry-after": "7"}, DeliveryStatus.RETRY, 7.0),
        (503, {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, DeliveryStatus.RETRY, 0.0),
        (503, {"retry-after": "soon"}, DeliveryStatus.RETRY, None),
        (410, {}, DeliveryStatus.REJECTED, None),
    ],
)
async def test_what_an_answer_means(client, receiver, status, headers, result, wait_s):
    receiver.answers.append((status, headers))
    hook = Webhook("webhook/pager", receiver.url, None, "ward", EVERYTHING, client)
    answer = await hook.send(*hook.payload_for(event(id=7)))
    assert (answer.status, answer.retry_after_s) == (result, wait_s)
    assert len(receiver.requests) == 1
    assert receiver.requests[0][1]["webhook-id"] == "ward-7"


def test_a_webhook_gets_the_events_of_its_filter():
    events = EventFilter([Transition.RAISE], [Priority.HIGH], [Category.PHYSIOLOGICAL])
    hook = Webhook("webhook/pager", "http://127.0.0.1:9", None, "ward", events, None)
    assert hook.name == "webhook/pager"
    assert hook.payload_for(event()) != []
    assert hook.payload_for(event(Transition.CLEAR)) == []
    assert hook.payload_for(event(priority=Priority.LOW)) == []
    assert hook.payload_for(event(category=Category.TECHNICAL)) == []
    assert hook.payload_for(event(announced=False)) == []

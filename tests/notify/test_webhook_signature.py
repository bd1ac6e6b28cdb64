"""Signed requests, checked by the specification's own library."""

from __future__ import annotations

import base64
import json
import time

import pytest
from alarm_events import event
from standardwebhooks import Webhook, WebhookVerificationError

from tocsin.alarm import Transition
from tocsin.notify.webhook_signature import body, headers, key_of

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def signed(content, *, identity="ward-1", sent_at=None):
    return headers(identity, sent_at or time.time_ns(), content, key_of(SECRET))


def test_the_specification_s_library_accepts_a_request():
    content = body(event(stream="icu/1", reason="SpO2 81 %"))
    told = Webhook(SECRET).verify(content, signed(content))
    assert (told["type"], told["data"]["stream"], told["data"]["reason"]) == ("alarm.raise", "icu/1", "SpO2 81 %")


@pytest.mark.parametrize("change", ["body", "id", "old"])
def test_the_specification_s_library_refuses_what_was_changed(change):
    content = body(event())
    made = signed(content, sent_at=time.time_ns() - (3_600 * 10**9 if change == "old" else 0))
    if change == "id":
        made["webhook-id"] = "ward-2"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(content + (b" " if change == "body" else b""), made)


def test_an_unsigned_request_carries_an_identity_all_the_same():
    made = headers("ward-7", 1_764_000_000_999_999_999, b"{}", None)
    assert made == {
        "content-type": "application/json",
        "webhook-id": "ward-7",
        "webhook-timestamp": "1764000000",
    }


def test_a_body_names_event_occurrence_and_state():
    told = json.loads(body(event(Transition.CLEAR, raised_at=1_764_000_000_000_000_000)))
    assert told["type"] == "alarm.clear"
    assert told["timestamp"] == "2025-11-24T16:00:00.000Z"
    data = told["data"]
    assert (data["id"], data["occurrence"], data["transition"], data["state"]) == (1, 1, "clear", "normal")


@pytest.mark.parametrize(
    ("secret", "said"),
    [("whsec_no base64", "is no Base64"), ("whsec_QUJD", "has 3 bytes"), (base64.b64encode(bytes(65)).decode(), "65")],
)
def test_a_secret_that_cannot_sign_is_refused_and_not_told(secret, said):
    with pytest.raises(ValueError, match=said) as refused:
        key_of(secret)
    assert secret.removeprefix("whsec_") not in str(refused.value)

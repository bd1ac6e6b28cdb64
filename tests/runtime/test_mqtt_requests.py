"""An error of the daemon's own, met while it answers a request, is answered and ends nothing."""

from __future__ import annotations

import asyncio
import json

import pytest

from tocsin.ingest.message import Message
from tocsin.runtime.mqtt_requests import MqttRequests
from tocsin.runtime.request_handler import RequestHandler

NOW = 1_700_000_000 * 10**9


class Connection:
    def __init__(self):
        self.published = []

    def publish(self, topic, payload, **_how):
        self.published.append((topic, json.loads(payload)))


class Faulty:
    """Fails at every request."""

    records = {"no": "records"}  # noqa: RUF012

    def alarm_command(self, envelope):
        raise ZeroDivisionError(envelope.actor)

    def history(self, wanted):
        raise ZeroDivisionError(wanted.limit)


@pytest.fixture
def opened():
    """The requests, the messages it publishes, and the statuses that were counted."""
    connection, counted = Connection(), []
    return MqttRequests("tocsin", connection, RequestHandler(Faulty(), Faulty(), counted.append)), connection, counted


def request(verb, **body):
    return Message(f"tocsin/request/{verb}", json.dumps(body).encode(), NOW)


def refused(verb, **transaction):
    text = f"{verb}: an internal error; the daemon's log has the details (remedy: report it)"
    return f"tocsin/response/{verb}", {"status": "error", "code": "internal", "error": text} | transaction


def test_the_next_request_and_the_readings_are_taken_all_the_same(opened, caplog):
    requests, connection, counted = opened
    reading = Message("vitals/bed-1", b"{}", NOW)
    acknowledge = request("acknowledge", stream="bed-1", alarm="spo2-low", actor="joy", transaction="7")
    assert requests.take([acknowledge, reading, request("list"), request("nonsense")]) == [reading]
    assert connection.published[:2] == [refused("acknowledge", transaction="7"), refused("list")]
    assert connection.published[2][1]["code"] == "unknown-verb"
    assert counted == ["error", "error"]
    assert "acknowledge met an error that Tocsin doesn't know; please report it" in caplog.text
    assert "ZeroDivisionError: joy" in caplog.text, "the log says where"


def test_an_answer_that_cannot_be_encoded_becomes_an_error(opened, monkeypatch):
    requests, connection, counted = opened
    monkeypatch.setattr(RequestHandler, "_do", lambda _source, _request: {"what": object()})
    requests.take([request("list", transaction="9")])
    assert connection.published == [refused("list", transaction="9")]
    assert counted[-1] == "error"


async def test_what_takes_a_thread_is_answered_too(opened):
    requests, connection, counted = opened
    assert requests.take([request("history", transaction="8"), request("history")]) == []
    running = asyncio.create_task(requests.run())
    while len(connection.published) < 2:
        await asyncio.sleep(0.01)
        assert not running.done()
    running.cancel()
    assert connection.published == [refused("history", transaction="8"), refused("history")]
    assert counted == ["error", "error"]

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from gmqtt.mqtt.package import PackageFactory
from hypothesis import given
from hypothesis import strategies as st

from tocsin.mqtt.packets import parse_properties, reason_text, skip_properties
from tocsin.mqtt.settings import Backoff, ConnectionSettings, Tls


def build(properties):
    return bytes(PackageFactory._build_properties_data(properties, 5))  # noqa: SLF001  (the other side of what is tested)


PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "receive_maximum": st.integers(1, 65_535),
        "session_expiry_interval": st.integers(0, 2**32 - 1),
        "reason_string": st.text(max_size=300),
        "response_topic": st.text(max_size=10),
        "correlation_data": st.binary(max_size=20),
        "subscription_identifier": st.integers(1, 268_435_455),
        "user_property": st.tuples(st.text(max_size=9), st.text(max_size=9)),
        "payload_format_id": st.integers(0, 1),
    },
)


@given(PROPERTIES, st.binary(max_size=10))
def test_properties_are_read_back_and_skipped(properties, payload):
    block = build(properties)
    assert parse_properties(block + payload) == (properties, payload)
    assert skip_properties(b"xyz" + block + payload, 3) == 3 + len(block)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_properties_raise_what_is_caught(data):
    with suppress(ValueError, IndexError, struct.error):
        parse_properties(data)


def test_reasons():
    assert reason_text(0x87) == "not authorized (0x87)"
    assert reason_text(4) == "bad user name or password (0x04)"
    assert reason_text(0xFE) == "unknown (0xfe)"


@pytest.mark.parametrize(
    ("attempt", "longest"), [(0, 0.5), (1, 1.0), (3, 4.0), (5, 16.0), (6, 30.0), (7, 30.0), (10_000, 30.0)]
)
def test_waits_double_up_to_the_cap_and_spread_over_half_of_it(attempt, longest):
    backoff = Backoff()
    assert backoff.delay_s(attempt, 0.0) == longest / 2
    assert backoff.delay_s(attempt, 0.999_999) == pytest.approx(longest, rel=1e-4)


def test_the_broker_is_named_without_the_password():
    settings = ConnectionSettings("broker", 8883, "tocsin", username="u", password="secret", tls=Tls())  # noqa: S106
    assert settings.broker == "mqtts://broker:8883"

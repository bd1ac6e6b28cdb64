"""Parts of MQTT packets that the client library leaves to its caller: reason codes and property blocks."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from gmqtt.mqtt.property import Property
from gmqtt.mqtt.utils import unpack_variable_byte_integer

SESSION_TAKEN_OVER = 0x8E

# MQTT 5, table 2.4.2.2; those that a broker sends in CONNACK, DISCONNECT, PUBACK or SUBACK.
_REASONS = {
    0x00: "normal",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    SESSION_TAKEN_OVER: "session taken over",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA2: "wildcard subscriptions not supported",
}
_REFUSALS_V311 = {
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
FAILURE = 0x80  # reason codes from here on are failures
_MORE = 0x80  # bit of a length's byte: another byte follows


def reason_text(code: int) -> str:
    """Describe a reason code.

    >>> reason_text(0x8e)
    'session taken over (0x8e)'
    >>> reason_text(5)
    'not authorized (0x05)'
    """
    return f"{_REASONS.get(code) or _REFUSALS_V311.get(code, 'unknown')} (0x{code:02x})"


def parse_properties(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Read an MQTT 5 property block.

    Returns:
        Values by name, the last of repeated ones; and the bytes after the block.

    Raises:
        ValueError: The bytes are no property block.
    """
    length, data = unpack_variable_byte_integer(data)
    block, rest = data[:length], data[length:]
    properties: dict[str, Any] = {}
    while block:
        known = Property.factory(id_=block[0])
        if known is None:
            raise ValueError(f"unknown property 0x{block[0]:02x}")
        value, block = known.loads(block[1:])
        properties.update(value)
    return properties, rest


class PublishProperties(NamedTuple):
    """Properties of a PUBLISH packet that are used; None where they are missing."""

    content_type: str | None
    response_topic: str | None
    correlation: bytes | None


def publish_properties(block: bytes) -> PublishProperties | None:
    """Read the properties of a message from a block with its length; None if none of them is used.

    An unreadable block gives None too: after an error such a message would be redelivered for ever.
    """
    try:
        properties, _ = parse_properties(block)
    except (ValueError, IndexError, struct.error):
        return None
    found = PublishProperties(
        properties.get("content_type"), properties.get("response_topic"), properties.get("correlation_data")
    )
    return None if found == (None, None, None) else found


def skip_properties(data: bytes, start: int) -> int:
    """Offset after the property block that starts at `start`."""
    length = data[start]
    if length < _MORE:
        return start + 1 + length
    multiplier = 1
    length = 0
    while True:
        byte = data[start]
        start += 1
        length += (byte & 0x7F) * multiplier
        if byte < _MORE:
            return start + length
        multiplier *= 128
